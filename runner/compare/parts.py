"""Parts of a run to tell a change from noise by: equally long, and each of whole bursts, so that they are alike."""

from msgspec import Struct

from soak.runner.compare.dependence import LEAST_PARTS
from soak.schemas.language.model import Phase, Scenario
from soak.schemas.language.rhythms import cycle_s
from soak.schemas.language.windows import Window

PARTS, FEWEST = 72, 24
"""How many, according to how much work there is: how much neighbours depend on each other is estimated from them."""
TASKS = 50
"""Tasks of a part, at least, if there are enough of them: a quantile of fewer is little more than a maximum."""
_TOO_MANY = 1000
"""Parts of a run that is so much longer than the other that they say nothing of it."""


class Parts(Struct, frozen=True):
    """`count` parts of `length_s` each, from the start of a run; what is left at its end belongs to none."""

    count: int
    length_s: float

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The parts as phases of a scenario, named by their number from 0."""
        windows = (Window(place * self.length_s, (place + 1) * self.length_s) for place in range(self.count))
        return tuple(Phase(f"{place}", window) for place, window in enumerate(windows))


def parts_of(scenario: Scenario) -> Parts:
    """The parts of a scenario's run. With fewer than six bursts they cannot be whole, and parts cut them."""
    tasks = scenario.workload.rate_per_s * scenario.duration_s
    wanted = min(PARTS, max(FEWEST, int(tasks / TASKS)))
    every_s = cycle_s(scenario)
    periods = int(scenario.duration_s / every_s + 1e-9) if every_s else 0
    if periods < LEAST_PARTS:
        return Parts(wanted, scenario.duration_s / wanted)
    if periods <= wanted:
        return Parts(periods, every_s)
    whole = [count for count in range(FEWEST, PARTS + 1) if periods % count == 0]
    if whole:
        count = min(whole, key=lambda each: (abs(each - wanted), each))
        return Parts(count, periods // count * every_s)
    each = max(1, round(periods / wanted))
    return Parts(periods // each, each * every_s)


def parts_as_long(duration_s: float, length_s: float) -> Parts:
    """As many parts of that length as a run has; none where that would be far too many."""
    count = int(duration_s / length_s + 1e-9)
    return Parts(count if count <= _TOO_MANY else 0, length_s)
