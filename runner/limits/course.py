"""The course of a search: along each parameter by itself, and over the plane of two."""

from collections.abc import Sequence
from functools import partial

from soak.runner.limits.findings import Findings
from soak.runner.limits.grid import axis, decide_grid
from soak.runner.limits.parameter import Parameter
from soak.runner.limits.replications import Replications, Row, StoppedError, Values
from soak.runner.limits.search import Edge, find_edges
from soak.schemas.evidence.limits import Grid, Search


class Course:
    """Searches over `parameters`; a plane has `cells` along each axis at most."""

    def __init__(self, parameters: Sequence[Parameter], replications: Replications, cells: int) -> None:
        self._parameters = parameters
        self._replications = replications
        self._findings = Findings(parameters, replications.made, replications.test)
        self._edges: list[list[Edge] | None] = [None for _ in parameters]
        self._axes = [axis(cells, parameter.own_point, len(parameter.row)) for parameter in parameters]

    def run(self) -> bool:
        """Search; False when someone asked to stop. Raises UsageError for a value that cannot be."""
        try:
            for number, parameter in enumerate(self._parameters):
                row = Row(self._replications, partial(self._findings.along, number))
                self._edges[number] = find_edges(len(parameter.row), parameter.own_point, row)
            if len(self._parameters) > 1:
                columns, rows = map(len, self._axes)
                decide_grid(columns, rows, Row(self._replications, self._cell))
        except StoppedError:
            return False
        return True

    def searches(self) -> list[Search]:
        """What was found along each parameter by itself."""
        return [self._findings.search(number, edges) for number, edges in enumerate(self._edges)]

    def grid(self) -> Grid | None:
        """What was found over the plane, if there is one."""
        return self._findings.grid(*self._axes) if len(self._axes) > 1 else None

    def _cell(self, cell: int) -> Values:
        columns, rows = self._axes
        row, column = divmod(cell, len(columns))
        return self._findings.values((columns[column], rows[row]))
