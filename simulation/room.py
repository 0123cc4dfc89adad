"""What the simulation knows of a system: a room that names its model, its forecast and what can be seen beforehand."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from msgspec import Struct, field

from soak.schemas.errors import Where
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import find, room
from soak.schemas.language.rhythms import bursts_of

if TYPE_CHECKING:
    from simpy import Environment

    from soak.schemas.stream.block import Floats
    from soak.simulation.plan import Plan
    from soak.simulation.recorder import Recorder

NO_ACTION = 0
"""What a cause does to an attempt that it does nothing to."""


class Model(Protocol):
    """A model of a system: it records what happens. `ended_s`: when the last task was over after the end of arrivals."""

    ended_s: float | None

    def run(self, until_s: float) -> None:
        """Simulate up to `until_s`."""

    def census(self, now: float) -> None:
        """Record how many tasks the model itself holds in each state."""


class Forecast(Protocol):
    """A dataclass of what a plan asks of the system. rate_per_s: arrivals per second, drawn, in equal parts of the run."""

    @property
    def rate_per_s(self) -> "Floats":
        """Arrivals per second, drawn, in equal parts of the run."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is more than the system can carry."""


Picture: TypeAlias = tuple[Sequence[float], float, str]
"""A rate over time to be drawn: its values, the length in seconds of the time, what it is."""


class Counts(list[float]):
    """Values of a picture that are numbers, not rates."""


class Doubt(Struct, frozen=True):
    """What cannot happen, its place in the scenario, and what to write instead."""

    where: Where
    what: str
    remedy: str


def _none(*_: object) -> tuple[()]:
    return ()


class Compiled(Struct, frozen=True):
    """A model that is compiled, and gives the same rows as the one on SimPy.

    model: makes it. ready: loads its library; raises Unavailable where that cannot be had. lacks: what of a scenario it does not
    cover, in a few words; empty if it covers all.
    """

    model: "Callable[[Plan, Recorder], Model]"
    ready: Callable[[], object]
    lacks: Callable[[Scenario], str]


class Room(Struct, frozen=True):
    """A system in the simulation.

    model: makes the model. forecast: what a plan asks of the system. figures: the forecast in words, a line each; pictures:
    rates to draw beside that of the arrivals. actions: faults that an attempt can meet, and a number for what they do to it
    (from 1). doubts: what of a scenario cannot happen. calibrated: whether `soak calibrate` can fit the model to a run,
    which it can with the settings of the system `queue` only. time_limits: after how many seconds an attempt is ended, by kind
    of work (one of all, without kinds; none: attempts take as long as they take), and timed_out what that does to it.
    compiled: the compiled model, if there is one.
    """

    model: "Callable[[Environment, Plan, Recorder], Model]"
    forecast: "Callable[[Plan], Any]"
    figures: Callable[[Scenario, Any], list[str]]
    pictures: Callable[[Scenario, Any], Iterable[Picture]] = _none
    actions: Mapping[str, int] = field(default_factory=dict)
    doubts: Callable[[Scenario], Iterable[Doubt]] = _none
    calibrated: bool = False
    time_limits: Callable[[Scenario], Sequence[float]] = _none
    timed_out: int = NO_ACTION
    compiled: Compiled | None = None


@cache
def room_of(system: str) -> Room:
    """The room of a system. Raises UsageError for one that is not there or is broken."""
    found = find(system)
    return room(found, found.model, Room)


def in_bursts(scenario: Scenario, usual: float, peak: float, *, between: bool = False) -> str:
    """What is different in bursts, or at the busiest times of a plan without any."""
    if f"{usual:.2f}" == f"{peak:.2f}":
        return ""
    if not bursts_of(scenario):
        return (
            f"; {usual:.2f} usually, {peak:.2f} at the busiest times"
            if between
            else f", {peak:.2f} at the busiest times"
        )
    return f"; {usual:.2f} between bursts, {peak:.2f} in bursts" if between else f", {peak:.2f} in bursts"
