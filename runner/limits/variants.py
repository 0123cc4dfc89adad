"""What is asked for, and the scenario with every value that is tried."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

from soak.runner.limits.parameter import find_parameter
from soak.runner.limits.replications import Values
from soak.schemas.errors import ScenarioError, UsageError
from soak.schemas.language.load import Loaded, Sources
from soak.schemas.language.model import Scenario


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: `vary` as PATH or PATH=LOW..HIGH; `cells` along each axis of a plane; `workers` None: all cores."""

    vary: tuple[str, ...]
    probability: float
    tolerance: float
    most: int
    cells: int
    tier: str | None
    overlays: tuple[Path, ...]
    settings: tuple[str, ...]
    workers: int | None


class Variants:
    """The scenario at every point. Raises ScenarioError for one that is wrong, UsageError for what cannot be varied."""

    def __init__(self, path: Path, wish: Wish) -> None:
        self._wish = wish
        self._sources = Sources.read(path, wish.overlays)
        self.loaded = self._load(wish.settings)
        if not self.loaded.scenario.objectives:
            raise UsageError(f"{path}: has no objectives, so that no run of it can PASS (write some under slos)")
        self.parameters = [find_parameter(self.loaded, each, wish.tolerance) for each in wish.vary]
        paths = [parameter.path for parameter in self.parameters]
        if len(set(paths)) < len(paths):
            raise UsageError(f"--vary {paths[0]}: stands twice (name another parameter, or leave it out)")

    def _load(self, settings: tuple[str, ...]) -> Loaded:
        return self._sources.load(tier=self._wish.tier, settings=settings)

    def at(self, values: Values) -> Scenario:
        """The scenario at a point. Raises UsageError for a value that it cannot have."""
        pairs = zip(self.parameters, values, strict=True)
        own = tuple(f"{parameter.path}={value}" for parameter, value in pairs)
        try:
            changed = self._load((*self._wish.settings, *own))
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
