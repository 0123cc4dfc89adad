"""What the source sends: a replay from a file, which may still grow, or its own deterministic market data."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from soak.systems.pipeline.records import Tick
from soak.systems.pipeline.settings import Market
from soak.systems.pipeline.spool import LineReader
from soak.systems.pipeline.stage import StageError

_MASK = (1 << 64) - 1


class ReplayError(StageError):
    """A line of a replay is not a record."""


class Feed(Protocol):
    """Records with the times at which they are due, in seconds after the epoch."""

    ended: bool

    def due(self, now_s: float, at_most: int) -> list[Tick]:
        """The next records that are due by now."""
        ...


class Replayed(Struct, frozen=True):
    """A line of a replay; `{"end": true}` ends it."""

    seq: int = -1
    t: float = 0.0
    symbol: str = ""
    strength: float = 1.0
    consistency: float = 1.0
    end: bool = False


class Replay:
    """The records of a file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._name, self._number = path.name, 0
        self._reader = LineReader(path)
        self._lines: Iterator[bytes] = iter(())
        self._next: Replayed | None = None
        self._decode = msgspec.json.Decoder(Replayed).decode
        self.ended = False

    def due(self, now_s: float, at_most: int) -> list[Tick]:
        """The next records that are due by now. Raises ReplayError."""
        found: list[Tick] = []
        while len(found) < at_most and (each := self._peek()) is not None and each.t <= now_s:
            found.append(Tick(each.seq, each.symbol, each.strength, each.consistency))
            self._next = None
        return found

    def _peek(self) -> Replayed | None:
        if self._next is not None or self.ended:
            return self._next
        line = next(self._lines, None)
        if line is None:
            self._lines = iter(self._reader.read())
            line = next(self._lines, None)
        if line is None:
            return None
        self._number += 1
        try:
            self._next = self._decode(line)
        except msgspec.MsgspecError as error:
            raise ReplayError(f"{self._name}:{self._number}: is not a record: {error}") from None
        if self._next.end:
            self._next, self.ended = None, True
        return self._next


class Generated:
    """Its own market: record n is due at n / rate and depends on seed and n alone."""

    def __init__(self, market: Market, speed: float, duration_s: float) -> None:
        self._rate = market.rate * speed
        self._seed = market.seed
        self._last = round(duration_s * self._rate) if duration_s else None
        self._sent = 0
        total = sum(market.symbols.values())
        self._symbols = [(name, share / total) for name, share in market.symbols.items()]
        self.ended = False

    def due(self, now_s: float, at_most: int) -> list[Tick]:
        """The next records that are due by now."""
        end = min(int(now_s * self._rate) + 1 if now_s >= 0 else 0, self._sent + at_most)
        if self._last is not None and end >= self._last:
            end, self.ended = self._last, True
        found = [self._tick(seq) for seq in range(self._sent, end)]
        self._sent = max(self._sent, end)
        return found

    def _tick(self, seq: int) -> Tick:
        which = uniform(self._seed, seq, 0)
        for name, share in self._symbols:
            symbol = name
            which -= share
            if which < 0:
                break
        return Tick(seq, symbol, round(uniform(self._seed, seq, 1), 6), round(uniform(self._seed, seq, 2), 6))


def uniform(seed: int, number: int, stream: int) -> float:
    """A number in [0, 1) that depends on its arguments alone: SplitMix64 (Steele, Lea, Flood 2014)."""
    z = (seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9 + stream * 0x94D049BB133111EB) & _MASK
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = ((z ^ (z >> shift)) * factor) & _MASK
    return ((z ^ (z >> 31)) >> 11) * 2.0**-53
