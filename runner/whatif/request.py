"""What `soak compare SCENARIO --with KEY=VALUE` is asked."""

from pathlib import Path

from msgspec import Struct

from soak.runner.analysis import ScenarioFile


class Request(Struct, frozen=True):
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
