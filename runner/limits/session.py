"""One `soak limits`, from a request to files and a result."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial

from soak.runner.analysis import Analysis, dated_directory, write_analysis
from soak.runner.console import remark
from soak.runner.evidence.scenario_copy import store_scenario
from soak.runner.interruption import Interruption, listening
from soak.runner.limits.decision import ERROR, SequentialTest, Tally
from soak.runner.limits.findings import Findings, describe, write_points
from soak.runner.limits.foreseen import Points, PointValues
from soak.runner.limits.parameter import Parameter
from soak.runner.limits.request import Request, Variants
from soak.runner.limits.search import Edge, axis, decide_grid, find_edges
from soak.runner.limits.trials import PointTrials, Replications, StoppedError
from soak.runner.replications.preload import loading
from soak.runner.replications.processes import ProcessPool
from soak.runner.replications.series import changing_line
from soak.schemas.errors import UsageError
from soak.schemas.evidence.limits import SCHEMA_VERSION, Grid, Limits, Search

_REPORTS = ("soak.reports.pages.limits", "soak.reports.limits")
FILE, REPORT, POINTS = "limits.json", "limits.html", "points.csv"
MOST_PARAMETERS = 2


def perform(request: Request) -> Analysis[Limits]:
    """Search where a scenario breaks and write what comes of it, also of a search that was interrupted. Raises SoakError."""
    if len(request.vary) > MOST_PARAMETERS:
        more = "vary two at a time, and set the others with --set"
        raise UsageError(f"--vary is given {len(request.vary)} times: at most two parameters make a plane ({more})")
    variants = Variants(request)
    variants.check_ends()
    loaded = variants.loaded
    with dated_directory(request.out, "limits", loaded.scenario.name) as directory, listening() as interrupted:
        words = " and ".join(map(_range, variants.parameters))
        remark(f"{loaded.scenario.name}: {words}, results in {directory.path}")
        limits, points = _search(variants, request, interrupted)
        from soak.reports.limits import render_limits
        from soak.reports.pages.limits import limits_page

        store_scenario(directory, loaded)
        directory.write(POINTS, points)
        write_analysis(directory, FILE, limits, {**render_limits(limits), REPORT: limits_page(limits)})
    return Analysis(limits, directory.path, REPORT, not limits.complete)


def _search(variants: Variants, request: Request, interrupted: Interruption) -> tuple[Limits, str]:
    scenario, parameters = variants.loaded.scenario, variants.parameters
    test = SequentialTest(request.probability, request.most)
    with closing(ProcessPool(request.jobs)) as pool, loading(*_REPORTS), changing_line() as line:

        def show(values: PointValues, tally: Tally, total: int) -> None:
            where = ", ".join(f"{each.path}={value}" for each, value in zip(parameters, values, strict=True))
            line(values, f"  {where}: {tally.passes} of {tally.total} PASS; {total} replications so far")

        replications = Replications(pool, variants.at, scenario.seed, test, show, interrupted)
        searches = Searches(parameters, replications, request.cells)
        complete = searches.run()
    limits = Limits(
        schema_version=SCHEMA_VERSION,
        scenario=scenario.name,
        scenario_sha256=variants.loaded.sha256,
        seed=scenario.seed,
        duration_s=scenario.duration_s,
        settings=list(request.scenario.settings),
        tier=request.scenario.tier,
        probability=request.probability,
        zone=(test.low, test.high),
        error=ERROR,
        most=request.most,
        tolerance=request.tolerance,
        cells=request.cells,
        complete=complete,
        replications=replications.total,
        parameters=[describe(parameter) for parameter in parameters],
        searches=searches.along(),
        grid=searches.grid(),
    )
    return limits, write_points(parameters, replications.made)


def _range(parameter: Parameter) -> str:
    low, high = parameter.text(parameter.value(0)), parameter.text(parameter.value(-1))
    return f"{parameter.path} from {low} to {high}{'' if parameter.given else ' (a range around its value)'}"


class Searches:
    """Searches over `parameters`; a plane has `cells` along each axis at most."""

    def __init__(self, parameters: Sequence[Parameter], replications: Replications, cells: int) -> None:
        self._parameters = parameters
        self._replications = replications
        self._findings = Findings(parameters, replications.made, replications.test)
        self._edges: list[list[Edge] | None] = [None for _ in parameters]
        self._axes = [axis(cells, parameter.own_point, len(parameter.row)) for parameter in parameters]
        replications.foresee = self._foresee

    def run(self) -> bool:
        """Search; False when someone asked to stop. Raises UsageError for a value that cannot be."""
        try:
            for number, edges in enumerate(self._steps(self._replications, self._findings)):
                self._edges[number] = edges
        except StoppedError:
            return False
        return True

    def _steps(self, points: Points, findings: Findings) -> Iterator[list[Edge]]:
        """The whole search over points, which `findings` notes: the edges along each parameter, and then the plane."""
        for number, parameter in enumerate(self._parameters):
            row = PointTrials(points, partial(findings.along, number))
            yield find_edges(len(parameter.row), parameter.own_point, row)
        if len(self._parameters) > 1:
            columns, rows = map(len, self._axes)
            decide_grid(columns, rows, PointTrials(points, partial(self._cell, findings)))

    def _foresee(self, points: Points) -> None:
        """Run the search over points that are not made, noting them nowhere."""
        deque(self._steps(points, Findings(self._parameters, {}, points.test)), maxlen=0)

    def along(self) -> list[Search]:
        """What was found along each parameter by itself."""
        return [self._findings.search(number, edges) for number, edges in enumerate(self._edges)]

    def grid(self) -> Grid | None:
        """What was found over the plane, if there is one."""
        return self._findings.grid(*self._axes) if len(self._axes) > 1 else None

    def _cell(self, findings: Findings, cell: int) -> PointValues:
        columns, rows = self._axes
        row, column = divmod(cell, len(columns))
        return findings.values((columns[column], rows[row]))
