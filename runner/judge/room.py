"""What the judge knows of a system: a room that names its tracker, and what its faults could have struck."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from soak.runner.judge.account import Account
from soak.runner.judge.comparable import Comparable
from soak.runner.judge.exposure import Exposed
from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.need import Need
from soak.runner.judge.recount import Recount
from soak.runner.judge.rows import Rows
from soak.runner.judge.samples import Facts
from soak.runner.judge.table import Table
from soak.schemas.evidence.explanation import Case
from soak.schemas.evidence.gain import Gain
from soak.schemas.evidence.verdict import Section
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import find, room
from soak.schemas.language.slis import Sli
from soak.schemas.stream.block import Block, Bools, Floats, Ints
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.vocabulary import NO_CAUSE, Vocabulary

if TYPE_CHECKING:
    from soak.runner.judge.lifecycle import Lifecycle


class Law(Struct, frozen=True):
    """What must be true of every run. broken: by how much it is not; None where that cannot be told yet, for `detail`.

    applies: whether the target promises it at all; `detail` says why it does not.
    """

    name: str
    description: str
    broken: float | None
    detail: str
    applies: bool = True


class AtTheEnd(Struct, frozen=True):
    """What is known at the end of a run only of what breaks an objective or a law: in words, and case by case with its cause."""

    words: str
    cases: Sequence[tuple[str, Case]]


class Busy(Struct, frozen=True):
    """A level that shows how loaded a system is: a series of samples, what it counts (`workers busy`), and its limit, if any."""

    series: str
    what: str
    limit: float | None = None


class Tasks(Struct, frozen=True):
    """What is known of the tasks of a block when the system's tracker looks at it.

    rows: the events of tasks, sorted by task. table: states are as before the block, columns of the core as after it.
    label: of each row (None: labels are not kept). ready: by row, since when the task could have been taken up.
    transient: by cause, see `Tracker.transient`.
    """

    rows: Rows
    table: Table
    label: Ints | None
    ready: Floats
    transient: Bools


class Asked(Struct, frozen=True):
    """What is asked of what follows the tasks of a run: everything, or what is needed of some series only.

    stall_floor_s, gap_floor_s: the lengths from which on stalls and gaps in telemetry matter.
    """

    scenario: Scenario
    vocabulary: Vocabulary
    identity: Identity | None
    labels: LabelNumbers
    need: Need
    series: frozenset[str]
    stall_floor_s: float
    gap_floor_s: float


class Consequence(Struct, frozen=True):
    """What a fault brought about that no event with its cause says: tasks lost, or executions too many. met_s: when it struck."""

    what: str
    fault: str
    met_s: float
    count: int


class Recovered(Struct, frozen=True):
    """The system had recovered at `t_s` from a fault that was injected at `injected_s`."""

    fault: str
    injected_s: float
    t_s: float


LOST, DUPLICATED = "lost", "duplicated"
"""What a consequence can be: the names of the fields of `schemas.evidence.attribution.Cost`."""


class Tracker:
    """Follows what is particular to a system, beside its tasks. It is copied before each block, and must be small.

    This one follows nothing: a system overrides what it has.
    """

    columns: tuple[str, ...] = ()
    """Columns of the table of open tasks that it keeps."""

    counts_some = False
    """Whether the system's census is of some states only, if there is one: see `conservation`."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary, identity: Identity | None) -> None:
        """identity: of the run; None where no target has said anything."""
        self._scenario = scenario
        self._vocabulary = vocabulary

    @property
    def vocabulary(self) -> Vocabulary:
        """The words of the stream."""
        return self._vocabulary

    def transient(self) -> Bools:
        """By cause: whether an attempt that fails by it may be made again."""
        flags: Bools = np.arange(len(self._vocabulary.causes)) != NO_CAUSE
        return flags

    def observe(self, block: Block, tasks: Tasks, facts: Facts) -> None:
        """Take in a block: add its series to the facts."""

    def laws(self, lifecycle: "Lifecycle", *, complete: bool) -> Iterator[Law]:
        """Laws of this system. complete: whether no event is known to be lost."""
        yield from ()

    def still_open(self, sli: Sli, lifecycle: "Lifecycle", labels: frozenset[int] | None) -> tuple[int, str] | None:
        """How many observations of an SLI are still to come, and of what; None where tasks that are open tell."""
        return None

    def offered(self, lifecycle: "Lifecycle") -> int:
        """What was offered of the plan so far, second enqueues left out."""
        return lifecycle.offered

    def excused(self, rows: Rows) -> Bools:
        """Which changes of state outside the state machine are legal all the same, by what else is known."""
        return np.zeros(len(rows.t), dtype=np.bool_)

    def after(self, block: Block, lifecycle: "Lifecycle", facts: Facts) -> None:
        """A block has been observed, and the states of tasks are those after it: add to the facts what follows from them."""

    def conservation(self, lifecycle: "Lifecycle") -> Law | None:
        """The law on the census of a system that counts its tasks in some states only; None where it counts all."""
        return None

    def answered(self, tasks: int) -> int:
        """What the system accepted or skipped of it; `tasks`: how many tasks."""
        return tasks

    def lost(self, lifecycle: "Lifecycle") -> int:
        """Tasks that are lost although the system counts them."""
        return 0

    def at_the_end(self, of: str, lifecycle: "Lifecycle") -> AtTheEnd | None:
        """What breaks a series or a law and is known at the end only; None for nothing. of: see `violations.Violations`."""
        return None

    def consequences(self, lifecycle: "Lifecycle") -> Iterator[Consequence]:
        """What faults brought about, so far."""
        yield from ()

    def recovered(self) -> Iterable[Recovered]:
        """From which faults the system recovered in the last block, where that does not follow from its tasks."""
        return ()

    def not_recovered(self, fault: str, start_s: float) -> str:
        """Why it had not recovered from a fault that was injected then or later; empty where its tasks tell."""
        return ""

    def load_doubts(self) -> Iterator[str]:
        """Why times say less of the system than of what made its load, each with a remedy: then no objective on them is FAIL."""
        yield from ()

    def unseen(self, lifecycle: "Lifecycle") -> Iterator[str]:
        """What would tell, and was not seen in the run, which has ended: then nothing is PASS."""
        yield from ()

    def gain(self) -> Gain | None:
        """What policies gained; None where there are none."""
        return None

    def section(self) -> Section | None:
        """What the report says of this system alone; None for nothing."""
        return None

    def sections(self) -> Sequence[Section]:
        """What it says of it in further tables."""
        return ()


def _none(scenario: Scenario, vocabulary: Vocabulary) -> tuple[()]:
    return ()


def _no_files(scenario: Scenario, vocabulary: Vocabulary) -> Account:
    return Account()


def _nothing_more(scenario: Scenario, vocabulary: Vocabulary) -> Comparable:
    return Comparable()


def _no_ledger(scenario: Scenario, vocabulary: Vocabulary) -> Recount:
    return Recount()


def _as_usual(asked: Asked) -> None:
    return None


def _as_it_is(scenario: Scenario, identity: Identity) -> Scenario:
    return scenario


def _not_known(scenario: Scenario) -> Sequence[Busy]:
    return (Busy("queue_depth", "queued"),)


class Room(Struct, frozen=True):
    """A system in the judge.

    tracker: makes its tracker. exposed: what its faults by rate could have struck, in the order in which they are asked.
    busy: the levels that show how loaded it is, for explanations of what broke. account: follows the stream for files of the
    evidence that other systems do not have. recount: holds the stream against a ledger that the target wrote beside it.
    comparable: what two runs of a scenario must share beside their indicators. seen: the scenario as a target is judged by it,
    whose faults may show by other events than those of a simulation. followed: what follows its tasks faster than `tracker`
    does, and gives the same; None where nothing does.
    """

    tracker: Callable[[Scenario, Vocabulary, Identity | None], Tracker]
    exposed: Callable[[Scenario, Vocabulary], Sequence[Exposed]] = _none
    busy: Callable[[Scenario], Sequence[Busy]] = _not_known
    account: Callable[[Scenario, Vocabulary], Account] = _no_files
    recount: Callable[[Scenario, Vocabulary], Recount] = _no_ledger
    comparable: Callable[[Scenario, Vocabulary], Comparable] = _nothing_more
    seen: Callable[[Scenario, Identity], Scenario] = _as_it_is
    followed: "Callable[[Asked], Lifecycle | None]" = _as_usual


@cache
def room_of(system: str) -> Room:
    """The room of a system. Raises UsageError for one that is not there or is broken."""
    found = find(system)
    return room(found, found.judge, Room)
