"""What a sink holds, counted as it is followed: in all, by symbol, by minute."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from soak.systems.pipeline.records import Signal


@dataclass
class Tally:
    """Numbers of records."""

    total: int = 0
    strong: int = 0
    confirm: int = 0
    low_consistency: int = 0

    @property
    def strong_ratio(self) -> float | None:
        """Strong over total; None without records."""
        return self.strong / self.total if self.total else None

    @property
    def low_ratio(self) -> float | None:
        """Of low consistency over total; None without records."""
        return self.low_consistency / self.total if self.total else None

    def add(self, signal: Signal) -> None:
        """Count a record."""
        self.total += 1
        self.strong += signal.strong
        self.confirm += signal.confirm
        self.low_consistency += signal.low_consistency

    def told(self) -> dict[str, object]:
        """As it is reported."""
        ratio = self.strong_ratio
        return {
            "total": self.total,
            "strong": self.strong,
            "confirm": self.confirm,
            "low_consistency": self.low_consistency,
            "strong_ratio": None if ratio is None else round(ratio, 6),
        }


@dataclass
class Figures:
    """Of one sink. A minute is that in which a record was sent, counted from the epoch."""

    epoch: float
    minute_s: float
    whole: Tally = field(default_factory=Tally)
    symbols: dict[str, Tally] = field(default_factory=dict)
    minutes: dict[int, Tally] = field(default_factory=dict)
    first: int | None = None
    last: int | None = None
    newest_sent: float = 0.0

    def minute_of(self, sent: float) -> int:
        """In which minute a record was sent."""
        return int((sent - self.epoch) // self.minute_s)

    def add(self, signals: Iterable[Signal]) -> None:
        """Count records."""
        for signal in signals:
            minute = self.minute_of(signal.sent)
            for tally in (
                self.whole,
                self.symbols.setdefault(signal.symbol, Tally()),
                self.minutes.setdefault(minute, Tally()),
            ):
                tally.add(signal)
            self.first = signal.seq if self.first is None else min(self.first, signal.seq)
            self.last = signal.seq if self.last is None else max(self.last, signal.seq)
            self.newest_sent = max(self.newest_sent, signal.sent)

    def per_minute(self) -> list[tuple[int, Tally]]:
        """All minutes from the first to the last, those without records too."""
        last = max(self.minutes, default=-1)
        return [(minute, self.minutes.get(minute, Tally())) for minute in range(min(0, *self.minutes, 0), last + 1)]

    def gating(self) -> dict[str, int]:
        """Why records were not confirmed, and how many were."""
        strong_and_low = self.whole.strong - self.whole.confirm
        return {
            "confirmed": self.whole.confirm,
            "not_strong": self.whole.total - self.whole.strong,
            "low_consistency": strong_and_low,
        }
