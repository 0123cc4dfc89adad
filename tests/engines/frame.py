"""What all parts of a generated scenario know of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from engines.dice import Dice, seconds

Data: TypeAlias = dict[str, Any]


@dataclass
class Frame:
    """The run, in seconds, and what has been decided of it; `files`: those that the scenario refers to."""

    dice: Dice
    duration_s: float
    drain_s: float
    tasks: int
    workers: int = 1
    kinds: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def drawn(cls, dice: Dice) -> "Frame":
        """Minutes to a day, with a few hundred tasks at most; sometimes more tasks than are drawn at a time."""
        duration_s = float(dice.pick(120, 300, 600, 600, 1200, 3600, 7200, 21_600, 86_400))
        if dice.chance(0.3):
            duration_s = round(dice.between(100, 40_000), 3)
        tasks = 9000 if dice.chance(0.002) else dice.pick(3, 20, 60, 120, 250)
        drain_s = dice.pick(0.0, duration_s, round(dice.between(1, duration_s), 3))
        return cls(dice, dice.keep(duration_s), drain_s, tasks)

    @property
    def gap_s(self) -> float:
        """Mean time between arrivals."""
        return self.duration_s / self.tasks

    def inside_s(self) -> float:
        """A time at which something may begin."""
        return min(self.dice.time_s(0.0, 0.9 * self.duration_s), 0.95 * self.duration_s)

    def window(self, longest: float = 0.3, *, lasts: bool = True) -> Data:
        """`at`, `every` and `for` of something inside the run; without `for`, if it does not last."""
        at_s = self.inside_s()
        for_s = self.dice.time_s(0.001, longest * self.duration_s)
        if self.dice.chance(0.5):
            for_s = max(0.001, min(for_s, self.duration_s - at_s))
            return {"at": seconds(at_s), **({"for": seconds(for_s)} if lasts else {})}
        every_s = round(max(self.dice.time_s(self.duration_s / 8, self.duration_s / 2), 1.5 * for_s), 3)
        found = {"every": seconds(every_s), **({"for": seconds(for_s)} if lasts else {})}
        return {"at": seconds(at_s), **found} if self.dice.chance(0.5) or every_s >= self.duration_s else found


def without_none(data: Mapping[str, Any]) -> Data:
    """What is not None."""
    return {key: value for key, value in data.items() if value is not None}
