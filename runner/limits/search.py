"""Searches over numbered points for where PASS stops to be likely enough.

Along one parameter: bisection over an ordered row of values. Over the plane of two: every cell is screened, and those along the
border are decided.
"""

from collections.abc import Iterator
from typing import Protocol

from msgspec import Struct

from soak.runner.limits.decision import Care


class Trials(Protocol):
    """Points at which replications can be made, by their number."""

    def look(self, point: int, care: Care) -> None:
        """Make replications there until they are enough."""

    def passes(self, point: int) -> bool:
        """Whether the replications there are evidence for PASS being likely enough."""

    def decided(self, point: int) -> bool:
        """Whether there are enough to base the answer on."""


class Edge(Struct, frozen=True):
    """Two neighbours: PASS is likely enough at `good` and not at `beyond`."""

    good: int
    beyond: int


def find_edges(count: int, own: int | None, trials: Trials) -> list[Edge]:
    """Where PASS stops to be likely enough among `count` points in order; `own` is the point of the scenario itself.

    One edge when one end passes and the other does not; two, one on each side of `own`, when that is unlike both ends; none
    when all three are alike, and then they are decided.
    """
    ends = (0, count - 1)
    for end in ends:
        trials.look(end, Care.SCREEN)
    while True:
        low, high = map(trials.passes, ends)
        if low != high:
            edge = _find_edge(ends[not low], ends[low], trials)
            if edge:
                return [edge]
            continue
        if waiting := [end for end in (*ends, own) if end is not None and not trials.decided(end)]:
            trials.look(waiting[0], Care.DECIDE)
            continue
        if own is None or trials.passes(own) == low:
            return []
        edges = [_find_edge(end, own, trials) if low else _find_edge(own, end, trials) for end in ends]
        return [edge for edge in edges if edge]


def _find_edge(good: int, bad: int, trials: Trials) -> Edge | None:
    """The edge between a point that passes and one that does not; None when one of these turns out to be otherwise.

    Each point is looked at with few replications, and only the two beside the edge are decided: what was misjudged on the
    way is then put right, and the search goes back to where it went wrong. Of several edges the one nearest to `good` counts.
    """
    known = {good, bad}
    while True:
        row = sorted(known, reverse=bad < good)
        beyond = next((point for point in row if not trials.passes(point)), None)
        if beyond is None or beyond == good:
            return None
        last = row[row.index(beyond) - 1]
        if abs(beyond - last) > 1:
            middle = (beyond + last) // 2
            trials.look(middle, Care.SCREEN)
            known.add(middle)
        elif waiting := [point for point in (beyond, last) if not trials.decided(point)]:
            trials.look(waiting[0], Care.DECIDE)
        else:
            return Edge(last, beyond)


def decide_grid(columns: int, rows: int, trials: Trials) -> None:
    """Make the replications of all cells; cell `row * columns + column`.

    A cell far from the border gets as many as it takes to see its side; one that has a neighbour on the other side, all that a
    decision takes. What turns out to be otherwise moves the border, and its new cells are decided too.
    """
    cells = range(columns * rows)
    for cell in cells:
        trials.look(cell, Care.SCREEN)
    while border := [cell for cell in cells if not trials.decided(cell) and _on_border(cell, columns, rows, trials)]:
        for cell in border:
            trials.look(cell, Care.DECIDE)


def _on_border(cell: int, columns: int, rows: int, trials: Trials) -> bool:
    return any(trials.passes(other) != trials.passes(cell) for other in _neighbours(cell, columns, rows))


def _neighbours(cell: int, columns: int, rows: int) -> Iterator[int]:
    row, column = divmod(cell, columns)
    for other_row, other_column in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
        if 0 <= other_row < rows and 0 <= other_column < columns:
            yield other_row * columns + other_column


def axis(most: int, own: int | None, count: int) -> list[int]:
    """`most` places of `count`, evenly spread from the first to the last; `own` takes the place of the nearest between them."""
    most = min(most, count)
    places = [round(place * (count - 1) / (most - 1)) for place in range(most)]
    inner = places[1:-1]
    if own is not None and own not in places and inner:
        places[places.index(min(inner, key=lambda place: abs(place - own)))] = own
    return sorted(set(places))
