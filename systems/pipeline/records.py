"""Records as they go from process to process: a tick on the wire, a raw record, a signal."""

import msgspec
from msgspec import Struct

from soak.systems.pipeline.settings import Passes, Shares


class Tick(Struct, frozen=True, array_like=True, gc=False):
    """A record in a message of the source; `strength` and `consistency` from 0 to 1."""

    seq: int
    symbol: str
    strength: float
    consistency: float


class Message(Struct, frozen=True, omit_defaults=True):
    """What the source sends: first a hello with the session, then records; `sent` is when they were first sent."""

    sent: float = 0.0
    records: tuple[Tick, ...] = ()
    epoch: float | None = None
    symbols: tuple[str, ...] = ()
    region: str = ""


class Raw(Struct, frozen=True, gc=False):
    """A line of `raw.jsonl`."""

    seq: int
    sent: float
    at: float
    symbol: str
    strength: float
    consistency: float


class Signal(Struct, frozen=True, gc=False):
    """A line of `signals.jsonl`, a row of table `signals`. `input`: where in `raw.jsonl` the next record begins."""

    seq: int
    sent: float
    at: float
    symbol: str
    strong: bool
    confirm: bool
    low_consistency: bool
    input: int


def signal_of(raw: Raw, shares: Shares, after: int) -> Signal:
    """What a raw record says; it is confirmed if it is strong and not of low consistency."""
    strong = raw.strength < shares.strong
    low = raw.consistency < shares.low_consistency
    return Signal(raw.seq, raw.sent, 0.0, raw.symbol, strong, strong and not low, low, after)


def passes(signal: Signal, which: Passes) -> bool:
    """Whether a process passes the signal on."""
    return which == "all" or (signal.strong if which == "strong" else signal.confirm)


encode = msgspec.json.Encoder().encode
decode_message = msgspec.json.Decoder(Message).decode
decode_raw = msgspec.json.Decoder(Raw).decode
decode_signal = msgspec.json.Decoder(Signal).decode
