"""The longest stretch of each series of intervals, and the first that was longer than a limit."""

import math

from soak.runner.judge.samples import Facts, Stretch
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Aggregate


class LongestStretches:
    """Follows the intervals that objectives are about.

    The facts of a block have every stretch that is as long as the limit of an objective, and its longest: which one is the
    longest, and which the first beyond a limit, does not depend on where blocks end.
    """

    def __init__(self, scenario: Scenario) -> None:
        comparisons = [each.comparison for each in scenario.objectives]
        limits = [(each.sli.series, each.target) for each in comparisons if each.sli.aggregate is Aggregate.LONGEST]
        self._warmup_s = scenario.warmup_s
        self._longest: dict[str, Stretch] = {}
        self._beyond: dict[tuple[str, float], float] = {
            (series, limit): math.inf for series, limit in limits if isinstance(limit, float)
        }
        """By series and limit: when the first stretch became longer than that."""

    def observe(self, facts: Facts) -> None:
        """Process the facts of a block."""
        for series, limit in self._beyond:
            stretches = [each for each in facts.stretches.get(series, ()) if each.end_s >= self._warmup_s]
            for each in stretches:
                known = self._longest.get(series)
                if known is None or (each.length_s, -each.start_s) > (known.length_s, -known.start_s):
                    self._longest[series] = each
                if each.length_s > limit:
                    self._beyond[series, limit] = min(self._beyond[series, limit], each.start_s + limit)

    def of(self, series: str, limit: float) -> tuple[Stretch | None, float | None]:
        """The longest stretch, and when the first one became longer than a limit; None where there is none."""
        since_s = self._beyond.get((series, limit), math.inf)
        return self._longest.get(series), since_s if math.isfinite(since_s) else None
