"""Parts of a run to tell a change from noise by: equally long, and each of whole bursts, so that they are alike."""

from dataclasses import dataclass

from soak.runner.compare.dependence import LEAST_PARTS
from soak.schemas.language.model import Phase, Scenario
from soak.schemas.language.windows import Window

PARTS = 36
"""About how many: that neighbours depend on each other is estimated from them, and respected (see `dependence`)."""
_FEWEST, _MOST = PARTS // 2, 3 * PARTS // 2
_TOO_MANY = 1000
"""Parts of a run that is so much longer than the other that they say nothing of it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """`count` parts of `length_s` each, from the start of a run; what is left at its end belongs to none."""

    count: int
    length_s: float

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The parts as phases of a scenario, named by their number from 0."""
        edges_s = [place * self.length_s for place in range(self.count + 1)]
        return tuple(
            Phase(f"{place}", Window(*edges)) for place, edges in enumerate(zip(edges_s, edges_s[1:], strict=False))
        )


def parts_of(scenario: Scenario) -> Parts:
    """The parts of a scenario's run. With fewer than six bursts they cannot be whole, and 36 parts cut them."""
    burst = scenario.workload.burst
    periods = int(scenario.duration_s / burst.every_s + 1e-9) if burst else 0
    if burst is None or periods < LEAST_PARTS:
        return Parts(PARTS, scenario.duration_s / PARTS)
    whole = [count for count in range(_FEWEST, _MOST + 1) if periods % count == 0]
    if whole:
        count = min(whole, key=lambda each: (abs(each - PARTS), each))
        return Parts(count, periods // count * burst.every_s)
    each = max(1, round(periods / PARTS))
    return Parts(periods // each, each * burst.every_s)


def parts_as_long(duration_s: float, length_s: float) -> Parts:
    """As many parts of that length as a run has; none where that would be far too many."""
    count = int(duration_s / length_s + 1e-9)
    return Parts(count if count <= _TOO_MANY else 0, length_s)
