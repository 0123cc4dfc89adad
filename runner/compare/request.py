"""What `soak compare BASE RUN` is asked."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Request:
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
