"""A condition with its timer: since when it holds, for how long, and with which value."""

from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.samples import Facts
from soak.runner.judge.timer import Timer, Transition
from soak.runner.judge.watch import Watch
from soak.schemas.language.conditions import Condition


class Guard:
    """A condition with its timer."""

    def __init__(self, condition: Condition, labels: LabelNumbers, keep_firing_for_s: float = 0.0) -> None:
        self.condition = condition
        self._watch = Watch(condition, labels.selected(condition.comparison.selector))
        self.timer = Timer(condition.for_s, keep_firing_for_s)
        self._changes: list[Transition] = []

    def look(self, facts: Facts) -> None:
        """Evaluate the condition over a block; `advance` then advances time."""
        self._changes += self._watch.observe(facts)

    def advance(self, until_s: float) -> None:
        """Advance time to `until_s`."""
        self.timer.feed(self._changes, until_s)
        self._changes = [change for change in self._changes if change.t_s > until_s]

    @property
    def value(self) -> float:
        """The current value compared with the target; NaN with too few observations."""
        return self._watch.value()

    @property
    def held_at_s(self) -> float | None:
        """When the condition had first held for the required time."""
        return self.timer.firings[0].fired_s if self.timer.firings else None

    @property
    def parts(self) -> tuple["Guard", ...]:
        """Itself: what it is made of."""
        return (self,)
