"""Where a scenario breaks, as data: what limits.json holds."""

from enum import StrEnum

import msgspec

from soak.schemas.evidence.verdict import Outcome
from soak.schemas.units import show_ratio

SCHEMA_VERSION = 1


class NumberKind(StrEnum):
    """What a number of a scenario is."""

    RATIO = "ratio"
    RATE = "rate"
    DURATION = "duration"
    WHOLE = "whole number"
    FACTOR = "factor"


class SearchOutcome(StrEnum):
    """What a search came to.

    FOUND: the limit, or two; EVERYWHERE: the ends of the range and the scenario's own value are good enough; NOWHERE: none of
    them is; UNKNOWN: interrupted before there was an answer.
    """

    FOUND = "FOUND"
    EVERYWHERE = "EVERYWHERE"
    NOWHERE = "NOWHERE"
    UNKNOWN = "UNKNOWN"


class Basis(StrEnum):
    """How the side of a point was decided.

    TEST: the sequential test ended, and says that PASS is likelier than the lower end of its zone, or less likely than the
    upper; SHARE: it did not within `most` replications, and the share of PASS decides; GLANCE: few replications, enough to
    know where to look next.
    """

    TEST = "TEST"
    SHARE = "SHARE"
    GLANCE = "GLANCE"


class LimitSide(StrEnum):
    """Whether a limit is the largest or the smallest value that is good enough."""

    LARGEST = "largest"
    SMALLEST = "smallest"


class VariedParameter(msgspec.Struct, frozen=True):
    """What was varied; `given`: whether the range was, or is one around the scenario's own value. Values in base units."""

    path: str
    kind: NumberKind
    own: float
    own_text: str
    low: float
    low_text: str
    high: float
    high_text: str
    given: bool


class Cause(msgspec.Struct, frozen=True):
    """What kept replications from PASS, and how many of them; one may have several causes."""

    what: str
    replications: int


class Point(msgspec.Struct, frozen=True):
    """Replications at one value of each parameter, in their order: `values` in base units, `texts` as in a scenario.

    `interval`: of the probability of PASS, at 95 %, whenever one stops; `passing`: whether the point is good enough.
    """

    values: list[float]
    texts: list[str]
    replications: int
    passes: int
    share: float
    interval: tuple[float, float]
    passing: bool
    basis: Basis
    verdicts: dict[Outcome, int]
    causes: list[Cause]


class Limit(msgspec.Struct, frozen=True):
    """A limit: the last point that is good enough, and the first beyond it, which is not.

    `times`: the limit over the scenario's own value (None: that is zero).
    """

    side: LimitSide
    at: Point
    beyond: Point
    times: float | None


class Search(msgspec.Struct, frozen=True):
    """The search along one parameter, `parameter` by its place; the others stay at the scenario's own values."""

    parameter: int
    finding: SearchOutcome
    limits: list[Limit]
    points: list[Point]


class Grid(msgspec.Struct, frozen=True):
    """The plane of two parameters: `cells` row by row, the first parameter's values along a row; None: not reached."""

    columns: list[float]
    column_texts: list[str]
    rows: list[float]
    row_texts: list[str]
    cells: list[list[Point | None]]


class Limits(msgspec.Struct, frozen=True):
    """The whole answer.

    `zone`: a point that the test finds good enough has a PASS likelier than the lower of these probabilities, any other one
    that it decides a PASS less likely than the upper; each of that is wrong with a probability of at most `error`. The wanted
    `probability` is between them. `most`: replications at one point. `cells`: along each axis of a plane, at most.
    `replications`: all of them.
    """

    schema_version: int
    scenario: str
    scenario_sha256: str
    seed: int
    duration_s: float
    settings: list[str]
    tier: str | None
    probability: float
    zone: tuple[float, float]
    error: float
    most: int
    tolerance: float
    cells: int
    complete: bool
    replications: int
    parameters: list[VariedParameter]
    searches: list[Search]
    grid: Grid | None

    def claim(self, point: Point) -> str:
        """What is known of PASS at a point, in words."""
        low, high = (show_ratio(round(bound, 3)) for bound in self.zone)
        if point.basis is Basis.TEST:
            return f"PASS is likelier than {low}" if point.passing else f"PASS is less likely than {high}"
        return "not decided by the test" if point.basis is Basis.SHARE else "only screened"

    @property
    def found(self) -> bool:
        """Whether there is a limit: along a parameter, or somewhere in the plane."""
        cells = [cell.passing for row in (self.grid.cells if self.grid else []) for cell in row if cell]
        return any(search.finding is SearchOutcome.FOUND for search in self.searches) or len(set(cells)) > 1
