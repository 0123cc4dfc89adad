"""The plan: the load on a system and the fate of every attempt, as a pure function of scenario and seed.

The simulation and a real system are driven by the same plan. It is drawn lazily and in bounded memory.
"""

from collections.abc import Callable, Iterator

import numpy as np
from msgspec import Struct

from soak.schemas.language.faults import Fault
from soak.schemas.language.model import Scenario, Workload
from soak.schemas.language.registry import language_of
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Bools, Floats, Ints, quantise
from soak.schemas.stream.events import COPY, KEY_SHIFT
from soak.schemas.stream.vocabulary import NO_CAUSE, Vocabulary
from soak.simulation.arrivals import arrivals
from soak.simulation.checking import Checking
from soak.simulation.distributions import draw
from soak.simulation.fates import Fate, Fates
from soak.simulation.kinds import TIME_LIMIT, Kinds, ServiceTimes, Shares, of_numbers
from soak.simulation.rate import rate_of
from soak.simulation.room import NO_ACTION, room_of
from soak.simulation.streams import BLOCK, Stream
from soak.simulation.trace import TraceArrivals
from soak.simulation.trace_columns import columns_of
from soak.simulation.turns import Past, Turns
from soak.simulation.users import Users


class Submissions(Struct, frozen=True):
    """Work to offer, in time order: when it is due in seconds, its task number, the cause of a duplicate (0: the original)."""

    due_s: Floats
    number: Ints
    cause: Ints

    def __len__(self) -> int:
        return len(self.due_s)

    def take(self, index: slice | Ints) -> "Submissions":
        """The submissions that a slice or index array selects."""
        return Submissions(self.due_s[index], self.number[index], self.cause[index])


class Plan:
    """Everything that is drawn before a run: submissions, and the fate of each attempt."""

    is_offered = True
    """Whether its submissions are what is offered; otherwise the system has a source that sends what it likes."""
    checking: Checking | None = None
    """The checks that go with a real run of it; None where there are none."""

    def __init__(self, scenario: Scenario, seed: int | None = None, *, arrivals_seed: int | None = None) -> None:
        """`seed` replaces the scenario's; `arrivals_seed` that of the arrivals alone: other fates of the same work."""
        self.scenario = scenario
        self.seed = scenario.seed if seed is None else seed
        self._arrivals_seed = self.seed if arrivals_seed is None else arrivals_seed
        self.rate = rate_of(scenario.workload)
        self.vocabulary = Vocabulary()
        room = room_of(scenario.system)
        self._actions, self._limits_s = room.actions, room.time_limits(scenario)
        self.action = [NO_ACTION]
        """What each cause does to an attempt, as the room of the system numbers it."""
        self._register_words()
        met = [fault for fault in scenario.faults if fault.type in self._actions]
        self.late_cause = self.vocabulary.cause("", TIME_LIMIT) if self._limits_s else NO_CAUSE
        """That of an attempt which is ended since it runs for too long; NO_CAUSE where none is."""
        self._traced = columns_of(scenario, self._arrivals_seed)
        workload = scenario.workload
        self.kinds = Kinds(workload, self.seed, self._traced.kind) if workload.kinds else None
        """Which kind each task is of; None where the workload declares none."""
        self.fates = self._fates(workload, met)
        """Those of all attempts."""
        self.fate: Callable[[int, int, float], Fate] = self.fates.of
        """The fate of attempt n (from 1) of a task, should it start at a time: `fate(number, n, start_s)`."""
        self._duplicates = [fault for fault in scenario.faults if fault.spec.resubmits]
        self.users = self._closed()
        """The users of a closed workload, whose submissions follow from what ends; None where work arrives at a rate."""
        self._turns: Turns | None = None
        shares = [tenant.share for tenant in workload.tenants]
        known = self._tenants_of_users if workload.users and workload.users.groups else self._traced.tenant
        self._tenants = Shares(shares, self.seed, "tenants", known)
        self.offered = 0
        """Submissions handed out so far."""
        self.ends_s = scenario.duration_s
        """When arrivals end; earlier than the scenario says once the verdict is known."""

    def _fates(self, workload: Workload, met: list[Fault]) -> Fates:
        kinds, times, scattered = self.kinds, self._service_times(), workload.users is not None
        of = workload.service, met, self.seed, self.vocabulary
        return Fates(*of, kinds=kinds, times=times, scattered=scattered)

    def _register_words(self) -> None:
        for fault in self.scenario.faults:
            for error in fault.errors:
                self.vocabulary.cause(fault.name, error)
                self.action.append(int(self._actions.get(fault.type, NO_ACTION)))
        if self._limits_s:
            self.vocabulary.cause("", TIME_LIMIT)
            self.action.append(room_of(self.scenario.system).timed_out)
        for label in self.scenario.workload.labels:
            self.vocabulary.label(label.tenant, label.kind)
        for name in language_of(self.scenario.system).words(self.scenario.system_settings):
            self.vocabulary.name(name)

    def _closed(self) -> Users | None:
        if self.scenario.workload.users is None:
            return None
        causes = [(fault, self.cause_of(fault)) for fault in self._duplicates]
        return Users(self.scenario.workload, self.seed, self._arrivals_seed, causes, self.kinds)

    def _tenants_of_users(self, block: int) -> Ints:
        assert self.users
        return self.users.group_of(np.arange(block * BLOCK, (block + 1) * BLOCK))

    def turns(self, past: Past | None = None) -> Turns:
        """The users of a closed workload at work: in place of `submissions`, from the beginning, or resumed after `past`."""
        assert self.users
        self._turns = Turns(self.users, lambda: self.ends_s, past, self.scenario.telemetry.max_lag_s)
        return self._turns

    @property
    def horizon_s(self) -> float:
        """The latest possible end of the run."""
        return self.ends_s + self.scenario.drain_s

    def end_arrivals(self, at_s: float) -> None:
        """Let arrivals end at `at_s`; what is due from then on is not offered."""
        self.ends_s = min(self.ends_s, at_s)

    @property
    def planned(self) -> int:
        """Submissions handed out so far; of a plan whose arrivals ended early, those that were due until then."""
        if not self.is_offered:
            return 0
        if self._turns:
            return self._turns.planned
        if self.users or self.ends_s >= self.scenario.duration_s:
            return self.offered
        return sum(len(chunk) for chunk in self.again().submissions())

    def refuse_without_rows(self) -> None:
        """Raise UsageError where the rows of a trace are needed and its file is not there."""
        if self.scenario.workload.trace is not None:
            TraceArrivals(self.scenario.workload.trace, self._arrivals_seed, 0.0)

    def again(self) -> "Plan":
        """The same plan from its beginning."""
        plan = Plan(self.scenario, self.seed, arrivals_seed=self._arrivals_seed)
        plan.end_arrivals(self.ends_s)
        return plan

    def fault_of(self, cause: int) -> Fault:
        """The fault that a cause names."""
        name = self.vocabulary.causes[cause].fault
        return next(fault for fault in self.scenario.faults if fault.name == name)

    def process_of(self, fault: Fault) -> int:
        """The number of the name of the process that a crash of a dispatcher or watchdog takes away."""
        return self.vocabulary.name(fault.spec.process)

    def cause_of(self, fault: Fault) -> int:
        """The vocabulary's number for a scheduled fault."""
        return self.vocabulary.cause(fault.name, fault.errors[0])

    def labels_of(self, numbers: Ints) -> Ints:
        """The label of each task, tenant and kind, as an index into the vocabulary; -1 where the scenario declares neither."""
        workload = self.scenario.workload
        tenants = of_numbers(self._tenants, numbers) if workload.tenants else None
        if self.kinds is None:
            return np.full(len(numbers), -1) if tenants is None else tenants
        kinds = self.kinds.of(numbers)
        return kinds if tenants is None else tenants * len(workload.kinds) + kinds

    def kind_of(self, number: int) -> str:
        """The name of the kind of a task; empty where none are declared."""
        return self.scenario.workload.kinds[self.kinds.one(number)].name if self.kinds else ""

    def _service_times(self) -> ServiceTimes | None:
        """What decides how long an attempt takes where that differs by kind, or has a limit."""
        if not (self.kinds or self._limits_s or self._traced.service_s):
            return None
        of = self.scenario.workload, self.kinds, self.seed
        return ServiceTimes(*of, self._limits_s, self.late_cause, known_s=self._traced.service_s)

    def submissions(self) -> Iterator[Submissions]:
        """All the work of the plan in time order, in chunks: arrivals and, after them in time, their duplicates.

        There is none where users wait for their tasks: see `turns`.
        """
        if self.users:
            return
        waiting = _none()
        for block, chunk in enumerate(arrivals(self.scenario.workload, self._arrivals_seed, self.ends_s)):
            due_s = chunk.due_s
            if self.kinds and chunk.scheduled is not None:
                self.kinds.give(block, self.kinds.of_entries(self.scenario.workload, chunk.scheduled))
            numbers = (np.arange(len(due_s)) + block * BLOCK) << KEY_SHIFT
            originals = Submissions(due_s, numbers, np.zeros(len(due_s), dtype=np.int64))
            merged = _merge([waiting, originals, *self._duplicates_of(block, originals)], self.ends_s)
            last = len(due_s) < BLOCK
            ready = len(merged) if last else int(np.searchsorted(merged.due_s, due_s[-1], side="right"))
            self.offered += ready
            yield merged.take(slice(0, ready))
            waiting = merged.take(slice(ready, None))

    def _duplicates_of(self, block: int, originals: Submissions) -> Iterator[Submissions]:
        """The second submissions of a block's tasks; the first fault that hits a task decides."""
        count = len(originals)
        taken = np.zeros(count, dtype=np.bool_)
        for fault in self._duplicates:
            stream = Stream(self.seed, f"fault:{fault.name}")
            hit = (stream.at(block).random(BLOCK)[:count] < fault.rate) & ~taken
            if fault.windows:
                hit &= inside_windows(originals.due_s, fault.windows)
            if self.kinds and fault.kinds:
                hit &= self.kinds.among(fault.kinds)[self.kinds.of_block(block)[:count]]
            delay_s = draw(fault.delay, stream.at(block, 1), BLOCK)[:count]
            taken |= hit
            cause = np.full(int(hit.sum()), self.cause_of(fault))
            yield Submissions(quantise(originals.due_s[hit] + delay_s[hit]), originals.number[hit] | COPY, cause)


def _none() -> Submissions:
    return Submissions(np.empty(0), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


def inside_windows(t_s: Floats, windows: tuple[Window, ...]) -> Bools:
    """Whether each time lies inside one of the windows (ascending and apart)."""
    edges = np.array([edge for window in windows for edge in (window.start_s, window.end_s)])
    inside: Bools = np.searchsorted(edges, t_s, side="right") % 2 == 1
    return inside


def _merge(parts: list[Submissions], until_s: float) -> Submissions:
    due_s, number, cause = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("due_s", "number", "cause")
    )
    order = np.argsort(due_s, kind="stable")
    sorted_s = due_s[order]
    if (sorted_s[1:] == sorted_s[:-1]).any():
        order = np.lexsort((number, due_s))
    return Submissions(due_s, number, cause).take(order[due_s[order] < until_s])
