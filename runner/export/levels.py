"""The latest sample of every gauge, which the judge does not keep."""

from collections.abc import Iterator

from soak.runner.judge.samples import Facts
from soak.schemas.language.expression import Unit
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Aggregate
from soak.schemas.stream.block import Block

_SAMPLED = {"busy_workers": Unit.COUNT, "oldest_pending": Unit.DURATION}
"""Gauges that are not SLIs."""


class Levels:
    """A sink of the engine."""

    def __init__(self, scenario: Scenario) -> None:
        gauges = [sli for sli in scenario.slis.values() if sli.aggregate is Aggregate.GAUGE]
        self._units = {sli.series: sli.unit for sli in gauges} | _SAMPLED
        self._latest: dict[str, float] = {}

    def append(self, block: Block, facts: Facts) -> None:
        """Process a block."""
        for series in self._units:
            samples = facts.get(series)
            if len(samples):
                self._latest[series] = float(samples.value[-1])

    @property
    def units(self) -> list[Unit]:
        """The units of gauges."""
        return list(self._units.values())

    def __iter__(self) -> Iterator[tuple[str, Unit, float]]:
        """Series, unit and latest sample."""
        return ((series, self._units[series], value) for series, value in self._latest.items())
