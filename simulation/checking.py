"""What a real run asks of its checks; `runner/checks` makes them."""

from collections.abc import Callable, Mapping
from typing import Protocol


class Checking(Protocol):
    """The checks and the teardown of a run, as its target sees them."""

    def know(self, values: Mapping[str, str]) -> None:
        """Names in braces that stand for something of this target: `url`, `port.http`."""

    def quiet(self, action: Callable[[], None]) -> None:
        """What ends the load of a run that is cut short, before its teardown: nothing is to come after that."""

    def ready(self) -> None:
        """Make the checks that come before all work: the system is ready."""

    def begin(self, now: Callable[[], float], every: Callable[[float, Callable[[], None]], None]) -> None:
        """The clock runs. `every`: has something done at an interval of scenario time."""

    def is_over(self) -> bool:
        """All work is over: whether what is to be checked, and done, at the end is done as well. Does not wait."""

    def close(self) -> None:
        """Do the teardown, unless it was done, and end all that goes on; before the system is stopped, if that can be."""
