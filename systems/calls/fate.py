"""The planned fate of a call, sent in its header X-Soak-Fate."""

import json
from dataclasses import dataclass

HEADER = "x-soak-fate"


@dataclass(frozen=True)
class Fate:
    """Times are real seconds. `fault` is empty for a call without a fault; `cause` is only passed on."""

    task: int
    attempt: int
    latency_s: float
    fault: str = ""
    cause: int = 0
    within: float = 0.0
    """At which share of the latency the connection breaks."""

    delay_s: float = 0.0
    retry_after_s: float = 0.0
    record: int = 0
    memory_bytes: int = 0
    pieces: int = 1
    piece_s: float = -1.0
    """How long each piece takes; negative: all of them take the latency."""

    hold: bool = False


def read_fate(text: str) -> Fate:
    """The fate in a header. Raises TypeError or ValueError."""
    return Fate(**json.loads(text))
