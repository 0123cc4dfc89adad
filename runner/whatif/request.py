"""What `soak compare SCENARIO --with KEY=VALUE` is asked."""

from dataclasses import dataclass
from pathlib import Path

from soak.runner.analysis import ScenarioFile


@dataclass(frozen=True, slots=True)
class Request:
    """What does the variant do? `variant`: settings that the variant has and the base does not.

    `alpha`: how unlikely noise must be, over all SLIs together; `least`: the smallest relative change that matters;
    `objectives`: relative to the base. `jobs`: processes; None: one for each core.
    """

    scenario: ScenarioFile
    variant: tuple[str, ...]
    replications: int
    alpha: float
    least: float
    objectives: tuple[str, ...] = ()
    out: Path | None = None
    jobs: int | None = None
