"""What `soak power` is asked."""

from dataclasses import dataclass
from pathlib import Path

from soak.runner.analysis import ScenarioFile


@dataclass(frozen=True, slots=True)
class Request:
    """What do the objectives detect? `violations` as `--violation` takes them; `power`: the probability that counts as seen.

    `replications` of the pilot are made by `jobs` processes (None: one a core).
    """

    scenario: ScenarioFile
    violations: tuple[str, ...]
    power: float
    replications: int
    jobs: int | None = None
    out: Path | None = None
