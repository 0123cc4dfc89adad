"""What `soak power` is asked."""

from pathlib import Path

from msgspec import Struct

from soak.runner.analysis import ScenarioFile


class Request(Struct, frozen=True):
    """What do the objectives detect? `violations` as `--violation` takes them; `power`: the probability that counts as seen.

    `replications` of the pilot are made by `jobs` processes (None: one a core).
    """

    scenario: ScenarioFile
    violations: tuple[str, ...]
    power: float
    replications: int
    jobs: int | None = None
    out: Path | None = None
