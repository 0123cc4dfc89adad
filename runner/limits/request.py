"""What `soak limits` is asked, and the scenario with every value that is tried."""

from itertools import product
from pathlib import Path

from msgspec import Struct

from soak.runner.analysis import ScenarioFile
from soak.runner.limits.foreseen import PointValues
from soak.runner.limits.parameter import find_parameter
from soak.schemas.errors import ScenarioError, UsageError
from soak.schemas.language.load import Loaded
from soak.schemas.language.model import Scenario


class Request(Struct, frozen=True):
    """Where does the scenario break? `vary` as PATH or PATH=LOW..HIGH, twice at most.

    `probability`: of PASS, that is good enough; `tolerance`: the largest step, as a share of the range; `most`: replications at
    one point; `cells`: along each axis of a plane; `jobs`: processes (None: one a core).
    """

    scenario: ScenarioFile
    vary: tuple[str, ...]
    probability: float
    tolerance: float
    most: int
    cells: int
    jobs: int | None = None
    out: Path | None = None


class Variants:
    """The scenario at every point. Raises ScenarioError for one that is wrong, UsageError for what cannot be varied."""

    def __init__(self, request: Request) -> None:
        self._chosen = request.scenario
        self._sources = request.scenario.read()
        self.loaded = self._load(request.scenario.settings)
        if not self.loaded.scenario.objectives:
            raise UsageError(
                f"{request.scenario.path}: has no objectives, so that no run of it can PASS (write some under slos)"
            )
        self.parameters = [find_parameter(self.loaded, each, request.tolerance) for each in request.vary]
        paths = [parameter.path for parameter in self.parameters]
        if len(set(paths)) < len(paths):
            raise UsageError(f"--vary {paths[0]}: is duplicated (name another parameter, or leave it out)")

    def _load(self, settings: tuple[str, ...]) -> Loaded:
        return self._sources.load(tier=self._chosen.tier, settings=settings).simulated()

    def at(self, values: PointValues) -> Scenario:
        """The scenario at a point. Raises UsageError for a value that it cannot have."""
        pairs = zip(self.parameters, values, strict=True)
        own = tuple(f"{parameter.path}={value}" for parameter, value in pairs)
        try:
            changed = self._load((*self._chosen.settings, *own))
        except ScenarioError as error:
            problem = error.problems[0]
            what = f"the scenario is not valid with {' and '.join(own)}: {problem.where}: {problem.what} ({problem.remedy})"
            raise UsageError(f"{what}; narrow the range, or give one: --vary PATH=LOW..HIGH") from None
        return changed.scenario

    def check_ends(self) -> None:
        """Raise UsageError when an end of a range, or a corner of the plane, cannot be."""
        for parameter in self.parameters:
            for end in (0, -1):
                self.at(tuple(p.text(p.value(end) if p is parameter else p.own) for p in self.parameters))
        for corner in product((0, -1), repeat=len(self.parameters)):
            self.at(tuple(p.text(p.value(end)) for p, end in zip(self.parameters, corner, strict=True)))
