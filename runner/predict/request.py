"""What `soak predict` is asked."""

from pathlib import Path

from msgspec import Struct

from soak.runner.analysis import ScenarioFile

EFFORT = 5_000
"""How many runs the estimate of a rare event takes, about, unless asked otherwise."""


class Request(Struct, frozen=True):
    """How likely is PASS? The scenario's seed gives those of all replications.

    `precision`, `required`: shares; half the width of the interval at which to stop, and the PASS probability there must be.
    `rare`: whether all abort conditions are looked for as rare events; `rare_events`: names of those, or of objectives, that are.
    Each with about `effort` runs; `precision` is then the relative half width of its interval.
    `jobs`: processes (None: one a core); `dask`: the address of a cluster to use instead.
    """

    scenario: ScenarioFile
    replications: int
    precision: float | None = None
    required: float | None = None
    jobs: int | None = None
    dask: str | None = None
    out: Path | None = None
    rare: bool = False
    rare_events: tuple[str, ...] = ()
    effort: int = EFFORT

    @property
    def for_rare_events(self) -> bool:
        """Whether any rare event is looked for."""
        return self.rare or bool(self.rare_events)
