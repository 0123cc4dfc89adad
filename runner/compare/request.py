"""What `soak compare BASE RUN` is asked."""

from pathlib import Path

from msgspec import Struct


class Request(Struct, frozen=True):
    """What changed between two runs? `base`: a run directory or a baseline file; `run`: a run directory.

    `alpha`: how unlikely noise must be, over all SLIs together; `least`: the smallest relative change that matters;
    `objectives`: relative to the base.
    """

    base: Path
    run: Path
    alpha: float
    least: float
    objectives: tuple[str, ...] = ()
    out: Path | None = None
