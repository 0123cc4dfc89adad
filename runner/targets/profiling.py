"""What a check of a target file of a task system consists of: a short scenario, and what of its verdict tells of each promise."""

from collections.abc import Callable

from msgspec import Struct

from soak.schemas.target.load import LoadedTarget


class Tested(Struct, frozen=True):
    """How a promise is tested. slis: indicators of objectives, of which one that is broken breaks it.

    faults: without which, by type, nothing was tested. untested: why it is not tested at all; empty: it is. promised: whether the
    target file promises it; otherwise it does not apply.
    """

    promise: str
    promised: bool = True
    slis: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    untested: str = ""


class Profiling(Struct, frozen=True):
    """A check: the text of its scenario, how much can be judged (`Identity.level`), and how each promise is tested."""

    scenario: str
    level: int
    in_words: str
    tested: tuple[Tested, ...]


MakeProfiling = Callable[[LoadedTarget], Profiling]
