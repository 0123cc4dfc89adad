"""Values by task and number, such as jitter by attempt: addressed, never in the order of events."""

from collections.abc import Callable

from soak.schemas.language.distributions import Distribution
from soak.schemas.stream.events import COPY, KEY_SHIFT
from soak.simulation.distributions import draw
from soak.simulation.streams import BLOCK, Stream

COPY_LAYERS = 1 << 16
"""Numbers of the copy of a task begin here, where copies have draws of their own."""

_KEPT = 64


class Draws:
    """Values of one stream by task and number: drawn a block at a time, and the last blocks kept."""

    def __init__(self, seed: int, name: str, distribution: Distribution | None = None) -> None:
        self._stream = Stream(seed, name)
        self._distribution = distribution
        self._kept: dict[tuple[int, int], list[float]] = {}

    def of(self, number: int, layer: int) -> float:
        """The value for a task; uniform from 0 to 1 where there is no distribution."""
        arrival = number >> KEY_SHIFT
        key = (arrival // BLOCK, layer)
        values = self._kept.get(key)
        if values is None:
            generator = self._stream.at(*key)
            drawn = draw(self._distribution, generator, BLOCK) if self._distribution else generator.random(BLOCK)
            values = self._kept[key] = drawn.tolist()
            if len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return values[arrival % BLOCK]

    def before(self, number: int, first: int = 0) -> Callable[[int], float]:
        """The values for a task as a function of numbers that are counted from `first`."""
        return lambda attempt: self.of(number, first + attempt)

    def of_copies(self, number: int) -> Callable[[int], float]:
        """The values for a task by number; a copy of a task has draws of its own."""
        return self.before(number, (number & COPY) * COPY_LAYERS)
