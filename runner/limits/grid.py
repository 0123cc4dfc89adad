"""The plane of two parameters: every cell is looked at, and those along the border between PASS and not are decided."""

from collections.abc import Iterator

from soak.runner.limits.decision import Care
from soak.runner.limits.search import Trials


def decide_grid(columns: int, rows: int, trials: Trials) -> None:
    """Make the replications of all cells; cell `row * columns + column`.

    A cell far from the border gets as many as it takes to see its side; one that has a neighbour on the other side, all that a
    decision takes. What turns out to be otherwise moves the border, and its new cells are decided too.
    """
    cells = range(columns * rows)
    for cell in cells:
        trials.look(cell, Care.LOOK)
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
