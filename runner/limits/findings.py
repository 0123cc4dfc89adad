"""From replications to what limits.json and points.csv hold."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence

from soak.runner.limits.decision import Care, SequentialTest, Tally
from soak.runner.limits.foreseen import PointValues
from soak.runner.limits.parameter import Parameter
from soak.runner.limits.search import Edge
from soak.runner.limits.sequence import anytime_interval
from soak.runner.limits.trials import Trial
from soak.schemas.evidence import limits
from soak.schemas.evidence.limits import Basis, Cause, Grid, Limit, LimitSide, Point, Search, SearchOutcome
from soak.schemas.evidence.verdict import Outcome

CONFIDENCE = 0.95
_BETWEEN_CAUSES = "; "
Made = Mapping[PointValues, Sequence[Trial]]


def describe(parameter: Parameter) -> limits.VariedParameter:
    """What was varied."""
    low, high = parameter.value(0), parameter.value(-1)
    return limits.VariedParameter(
        path=parameter.path,
        kind=parameter.kind,
        own=parameter.base(parameter.own),
        own_text=parameter.text(parameter.own),
        low=parameter.base(low),
        low_text=parameter.text(low),
        high=parameter.base(high),
        high_text=parameter.text(high),
        given=parameter.given,
    )


def point_of(values: Sequence[float], texts: PointValues, trials: Sequence[Trial], test: SequentialTest) -> Point:
    """What the replications at a point say; `values` in base units."""
    verdicts = Counter(trial.verdict for trial in trials)
    causes = Counter(cause for trial in trials for cause in trial.causes)
    tally = Tally(verdicts[Outcome.PASS], len(trials))
    basis = Basis.TEST if test.proven(tally) else Basis.SHARE if test.enough(tally, Care.DECIDE) else Basis.GLANCE
    return Point(
        list(values),
        list(texts),
        tally.total,
        tally.passes,
        tally.passes / tally.total,
        anytime_interval(tally.passes, tally.total, CONFIDENCE),
        test.passes(tally),
        basis,
        {outcome: verdicts[outcome] for outcome in Outcome if verdicts[outcome]},
        [Cause(what, count) for what, count in sorted(causes.items(), key=lambda each: (-each[1], each[0]))],
    )


class Findings:
    """What was found at the points of some parameters."""

    def __init__(self, parameters: Sequence[Parameter], made: Made, test: SequentialTest) -> None:
        self._parameters = parameters
        self._made = made
        self._test = test
        # A row may be too long to go through it for what was tried.
        self._places: list[dict[PointValues, int]] = [{} for _ in parameters]

    def values(self, points: Sequence[int]) -> PointValues:
        """The point at these places of the rows of the parameters."""
        texts = tuple(p.text(p.value(point)) for p, point in zip(self._parameters, points, strict=True))
        for number, point in enumerate(points):
            self.along(number, point)
        return texts

    def along(self, number: int, point: int) -> PointValues:
        """The point at a place of one parameter's row, the others at the scenario's own values."""
        texts = tuple(p.text(p.value(point) if index == number else p.own) for index, p in enumerate(self._parameters))
        self._places[number][texts] = point
        return texts

    def search(self, number: int, edges: Sequence[Edge] | None) -> Search:
        """A search along a parameter; `edges` None: it was broken off."""
        parameter = self._parameters[number]
        row = sorted(point for texts, point in self._places[number].items() if self._made.get(texts))
        points = {point: self._along(number, point) for point in row}
        found = [self._limit(parameter, edge, points) for edge in edges or ()]
        if edges is None:
            finding = SearchOutcome.UNKNOWN
        elif edges:
            finding = SearchOutcome.FOUND
        else:
            finding = SearchOutcome.EVERYWHERE if points[row[0]].passing else SearchOutcome.NOWHERE
        return Search(number, finding, found, list(points.values()))

    def _along(self, number: int, point: int) -> Point:
        values = [p.base(p.value(point) if index == number else p.own) for index, p in enumerate(self._parameters)]
        texts = self.along(number, point)
        return point_of(values, texts, self._made[texts], self._test)

    def _limit(self, parameter: Parameter, edge: Edge, points: Mapping[int, Point]) -> Limit:
        side = LimitSide.LARGEST if edge.good < edge.beyond else LimitSide.SMALLEST
        times = float(parameter.value(edge.good) / parameter.own) if parameter.own else None
        return Limit(side, points[edge.good], points[edge.beyond], times)

    def grid(self, columns: Sequence[int], rows: Sequence[int]) -> Grid:
        """The plane of the two parameters at these places of their rows."""
        across, up = self._parameters
        return Grid(
            [across.base(across.value(column)) for column in columns],
            [across.text(across.value(column)) for column in columns],
            [up.base(up.value(row)) for row in rows],
            [up.text(up.value(row)) for row in rows],
            [[self._cell(column, row) for column in columns] for row in rows],
        )

    def _cell(self, column: int, row: int) -> Point | None:
        texts = self.values((column, row))
        values = [p.base(p.value(point)) for p, point in zip(self._parameters, (column, row), strict=True)]
        return point_of(values, texts, self._made[texts], self._test) if self._made.get(texts) else None


def write_points(parameters: Sequence[Parameter], made: Made) -> str:
    """points.csv: a line for each replication, point after point in the order in which they were first tried.

    The values of the parameters are such as `--set` takes.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*(parameter.path for parameter in parameters), "index", "seed", "verdict", "causes"])
    for values, trials in made.items():
        for trial in trials:
            writer.writerow([*values, trial.index, trial.seed, trial.verdict.value, _BETWEEN_CAUSES.join(trial.causes)])
    return buffer.getvalue()


def read_points(text: str) -> dict[PointValues, list[Trial]]:
    """The replications of a points.csv, by their point."""
    made: dict[PointValues, list[Trial]] = {}
    for *values, index, seed, verdict, causes in list(csv.reader(io.StringIO(text)))[1:]:
        kept = tuple(causes.split(_BETWEEN_CAUSES)) if causes else ()
        made.setdefault(tuple(values), []).append(Trial(int(index), int(seed), Outcome(verdict), kept))
    return made
