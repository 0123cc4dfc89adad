"""What a run is of: the first line of its event stream."""

from dataclasses import dataclass

STREAM_VERSION = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """Which scenario, with which seed, against which target and clock; `abort`: whether abort conditions end the run."""

    scenario: str
    scenario_sha256: str
    seed: int
    target: str
    clock: str
    abort: bool = True
