"""The plane: every cell is looked at, the border is decided, far cells are cheap."""

from soak.runner.limits.decision import Care
from soak.runner.limits.search import axis, decide_grid


class Cells:
    """Cells that are known; `misjudged` ones look as if they passed until they are decided."""

    def __init__(self, good: set[int], misjudged: frozenset[int] = frozenset()) -> None:
        self._good = good
        self._misjudged = misjudged
        self.looked: list[int] = []
        self.done: set[int] = set()

    def look(self, point: int, care: Care) -> None:
        if care is Care.SCREEN:
            self.looked.append(point)
        else:
            self.done.add(point)

    def passes(self, point: int) -> bool:
        return point in self._good or (point in self._misjudged and point not in self.done)

    def decided(self, point: int) -> bool:
        return point in self.done


def test_only_cells_along_the_border_are_decided() -> None:
    cells = Cells({row * 6 + column for row in range(5) for column in range(3)})
    decide_grid(6, 5, cells)
    assert cells.looked == list(range(30))
    assert cells.done == {row * 6 + column for row in range(5) for column in (2, 3)}


def test_the_border_is_followed_to_where_it_truly_is() -> None:
    misjudged = frozenset(row * 6 + column for row in range(5) for column in (3, 4))
    cells = Cells({row * 6 + column for row in range(5) for column in range(3)}, misjudged)
    decide_grid(6, 5, cells)
    assert cells.done == {row * 6 + column for row in range(5) for column in (2, 3, 4, 5)}


def test_without_a_border_nothing_is_decided() -> None:
    for good in (set(range(12)), set[int]()):
        cells = Cells(good)
        decide_grid(4, 3, cells)
        assert cells.done == set()


def test_the_axes_hold_both_ends_and_the_own_value() -> None:
    assert axis(7, None, 61) == [0, 10, 20, 30, 40, 50, 60]
    assert axis(7, 12, 61) == [0, 12, 20, 30, 40, 50, 60]
    assert axis(7, 0, 61) == [0, 10, 20, 30, 40, 50, 60]
    assert axis(7, 3, 61) == [0, 3, 20, 30, 40, 50, 60]
    assert axis(7, None, 3) == [0, 1, 2]
    assert axis(2, 1, 3) == [0, 2]
