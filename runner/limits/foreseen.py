"""What a search will ask for next, found by running it over results that are supposed."""

from typing import Protocol, TypeAlias

from soak.runner.limits.decision import Care, SequentialTest, Tally

PointValues: TypeAlias = tuple[str, ...]
"""A point: the value of each parameter as a scenario writes it."""
Key: TypeAlias = tuple[PointValues, int]
"""A replication: its point, and its index there."""


class Points(Protocol):
    """Replications at points, made or supposed."""

    @property
    def test(self) -> SequentialTest:
        """What decides how many are enough."""

    def look(self, values: PointValues, care: Care) -> None:
        """Make replications at a point until they are enough."""

    def tally(self, values: PointValues) -> Tally:
        """The replications at a point."""


class Made(Points, Protocol):
    """Replications that are made, or in progress."""

    def known(self, key: Key) -> bool | None:
        """Whether a replication that was not asked for yet is PASS; None where nobody knows."""

    def begun(self, key: Key) -> bool:
        """Whether nobody needs to begin with a replication."""


class NothingIdleError(Exception):
    """There is work enough."""


class Foreseen:
    """Points at which what is not there yet comes out as most of what is; `wanted`: the first `most` that must be made for it."""

    def __init__(self, made: Made, most: int) -> None:
        self.wanted: list[Key] = []
        self._made, self._most = made, most
        self._tallies: dict[PointValues, Tally] = {}

    @property
    def test(self) -> SequentialTest:
        """What decides how many are enough."""
        return self._made.test

    def look(self, values: PointValues, care: Care) -> None:
        """Suppose results until they are enough. Raises NothingIdleError when enough is wanted."""
        tally = self.tally(values)
        while not self.test.enough(tally, care):
            if len(self.wanted) >= self._most:
                raise NothingIdleError
            key = values, tally.total
            passed = self._made.known(key)
            if passed is None and not self._made.begun(key):
                self.wanted.append(key)
            tally = self._tallies[values] = tally.plus(tally.passes * 2 >= tally.total if passed is None else passed)

    def tally(self, values: PointValues) -> Tally:
        """The replications at a point, with what is supposed."""
        return self._tallies.get(values) or self._made.tally(values)
