"""What was run: the first line of its event stream."""

from msgspec import Struct

STREAM_VERSION = 2
FORMER_TARGETS = {"stub": "calls"}
"""Former names of targets, still accepted and still in older evidence, and what they are called now."""

RECORDED = "recorded"
"""The target of a run that judged events which were recorded elsewhere."""


def target_now(name: str) -> str:
    """The present name of a target."""
    return FORMER_TARGETS.get(name, name)


LEAST_LAG_REAL_S = 0.05
"""Submissions at most this late, in real time, count as on time."""


class Identity(Struct, frozen=True):
    """Which scenario, with which seed, against which target and clock; `abort`: whether abort conditions end the run.

    `speed`: seconds of scenario time per second of real time; 1 for a simulated clock. `patience_s`: timeout of calls to an
    attached class in real seconds, if given. `redelivery_s`: maximum time until the work of a dead worker is started
    again, in seconds of scenario time, if declared by the target. `stop`: the run ends once its verdict is
    known: `all` objectives, or those that are `decidable` before the end. `target_sha256`: hash of the target file, if one
    was given. `level`: how much of a task system that a target file describes can be judged, 0 to 4; None for all other targets.
    `promises`: words for what it promises; None: everything. `left_out`: by fault that does not apply to it, why. `roles`: by
    service of the target file what it is to the system, such as `broker`. `options`: those of the target file that were given.
    """

    scenario: str
    scenario_sha256: str
    seed: int
    target: str
    clock: str
    abort: bool = True
    speed: float = 1.0
    patience_s: float | None = None
    redelivery_s: float | None = None
    stop: str | None = None
    target_sha256: str | None = None
    level: int | None = None
    promises: tuple[str, ...] | None = None
    left_out: dict[str, str] | None = None
    roles: dict[str, str] | None = None
    options: dict[str, str] | None = None
