"""The queue, compiled: `kernel.c` behind the face of `QueueModel`.

What is drawn, and all that needs a name, comes from the same objects as there, at the same moments. `QueueModel` is the
reference: where the two differ, this one is wrong.
"""

import ctypes
import math
from collections.abc import Callable, Sequence
from ctypes import POINTER, c_double, c_int64
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from soak.schemas.language.faults import TELEMETRY_LOSS, Fault
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Floats, Ints
from soak.schemas.stream.events import CENSUS, Kind, worker_name
from soak.schemas.stream.states import TaskState
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.queue.faults import ENDS_A_SERVICE, OUTAGES, QueueFault
from soak.schemas.systems.queue.settings import GuardrailMode, Queue, queue_of
from soak.simulation.compiled.library import Unavailable, load
from soak.simulation.plan import Plan
from soak.simulation.queue import kernel_types as c
from soak.simulation.queue.actions import Action
from soak.simulation.queue.contention import Contention
from soak.simulation.queue.lease import Leases, NoLeases, VisibilityTimeouts, union, windows_of
from soak.simulation.queue.mishaps import outage_cause
from soak.simulation.queue.model import SHOW_AT_ONCE
from soak.simulation.queue.network import slow_windows
from soak.simulation.queue.places import Places
from soak.simulation.queue.polls import Polls
from soak.simulation.queue.waits import waits_of
from soak.simulation.recorder import WIDTH, Recorder
from soak.simulation.streams import BLOCK

KERNEL = Path(__file__).with_name("kernel.c")

_FAILED = -1
_RENEWED, _VISIBILITY, _NO_LEASES = range(3)
_MOST_CODE = 1 << 40
"""Task numbers and places are carried as whole numbers of 64 bits; priorities that leave no room for that are left to SimPy."""


@cache
def kernel() -> ctypes.CDLL:
    """The compiled kernel. Raises Unavailable."""
    library = load(KERNEL)
    library.queue_config_size.restype = library.queue_kinds.restype = c_int64
    if library.queue_config_size() != ctypes.sizeof(c.Config) or library.queue_kinds() != len(c.CODES):
        raise Unavailable("kernel.c and kernel_types.py are not of the same version")
    library.queue_new.restype = ctypes.c_void_p
    library.queue_new.argtypes = POINTER(c.Config), c_int64
    library.queue_run.restype = library.queue_rows.restype = c_int64
    library.queue_run.argtypes = ctypes.c_void_p, c_double
    library.queue_rows.argtypes = ctypes.c_void_p, POINTER(POINTER(c_double))
    library.queue_ended_s.restype, library.queue_ended_s.argtypes = c_double, (ctypes.c_void_p,)
    library.queue_census.argtypes, library.queue_census.restype = (ctypes.c_void_p, POINTER(c_int64)), None
    library.queue_free.argtypes, library.queue_free.restype = (ctypes.c_void_p,), None
    return library


class CompiledQueueModel:
    """See `QueueModel`. Raises Unavailable if the kernel cannot be had."""

    def __init__(self, plan: Plan, recorder: Recorder) -> None:
        self._kernel = kernel()
        self.ended_s: float | None = None
        self._plan, self._recorder, self._queue = plan, recorder, queue_of(plan.scenario)
        self._outages = windows_of(plan.scenario, *OUTAGES)
        self._leases = Leases.of(self._queue, self._outages, windows_of(plan.scenario, QueueFault.WATCHDOG_CRASH))
        self._contention = Contention(self._queue, plan.seed)
        self._chunks = plan.submissions()
        self._happenings = [
            (fault, at_s, ends)
            for fault in plan.scenario.faults
            for window in (fault.windows if fault.by_time else ())
            for at_s, ends in ((window.start_s, False), (window.end_s, True))
        ]
        by_kind = self._queue.by_kind if plan.kinds and self._queue.differs_by_kind else ()
        self._rules: tuple[Queue, ...] = by_kind or (self._queue,)
        self._wait_s = waits_of(self._rules_of, plan)
        self._outage_faults = [fault for fault in plan.scenario.faults if fault.spec.outage]
        self._kept: dict[object, object] = {}
        """What the kernel points to."""
        self._error: BaseException | None = None
        self._settings = self._config()
        made = self._kernel.queue_new(ctypes.byref(self._settings), self._delay_starts)
        if not made:
            raise MemoryError
        self._made = ctypes.c_void_p(made)

    def __del__(self) -> None:
        if made := getattr(self, "_made", None):
            self._kernel.queue_free(made)

    def run(self, until_s: float) -> None:
        """Simulate up to `until_s`, and accept the work that is due by then."""
        result = self._kernel.queue_run(self._made, until_s)
        if result:
            error, self._error = self._error or MemoryError(), None
            raise error
        first = POINTER(c_double)()
        count = self._kernel.queue_rows(self._made, ctypes.byref(first))
        if count:
            self._recorder.record(np.ctypeslib.as_array(first, (count, WIDTH)).copy())
        ended_s = self._kernel.queue_ended_s(self._made)
        self.ended_s = None if math.isnan(ended_s) else ended_s

    def census(self, now: float) -> None:
        """Record how many tasks the model itself holds in each state."""
        counts = (c_int64 * len(TaskState))()
        self._kernel.queue_census(self._made, counts)
        for state, kind in CENSUS.items():
            self._recorder.row((now, kind, -1, 0, -1, NO_CAUSE, counts[state]))

    def _rules_of(self, number: int) -> Queue:
        kinds = self._plan.kinds
        return self._rules[kinds.one(number)] if kinds and len(self._rules) > 1 else self._rules[0]

    # What the kernel is made of.

    def _config(self) -> c.Config:
        plan, queue, leases = self._plan, self._queue, self._leases
        polls, places = Polls.of(plan, leases), Places.of(plan)
        kind = {VisibilityTimeouts: _VISIBILITY, NoLeases: _NO_LEASES}.get(type(leases), _RENEWED)
        delays = self._delays()
        config = c.Config(
            workers=queue.workers,
            regular_polls=polls.regular,
            lease_kind=kind,
            acks_early=queue.acks_early,
            times_out=queue.times_out,
            enforces=queue.guardrail_mode is GuardrailMode.ENFORCE,
            contended=queue.dispatchers > 1,
            watched=leases.watched,
            late_cause=plan.late_cause,
            placed=places is not None,
            phases=len(polls.phases_s),
            delays=len(delays),
            happenings=len(self._happenings),
            many_rules=len(self._rules) > 1,
            poll_interval_s=queue.poll_interval_s,
            lease_s=leases.lease_s,
            heartbeat_s=leases.heartbeat_s,
            watchdog_s=leases.watchdog_s,
            worker_restart_s=queue.worker_restart_s,
            busy_timeout_s=queue.busy_timeout_s,
            sample_interval_s=plan.scenario.telemetry.sample_interval_s,
            duration_s=plan.ends_s,
            phases_s=self._floats("phases", polls.phases_s),
            outages=self._windows("outages", self._outages),
            blind=self._windows("blind", union([*leases.outages, *leases.watchdog_gone])),
            gone=self._windows("gone", polls.gone),
            codes=self._ints("codes", [int(code) for code in c.CODES]),
            action=self._ints("action", plan.action),
            hang_for_s=self._floats("hang", self._of_causes(Action.HANG, lambda fault: fault.hang_for_s)),
            slow_factor=self._floats("slow", self._of_causes(Action.SLOW, self._slow_factor)),
            before=self._ints("before", places.before if places else []),
            happens_s=self._floats("happens", [at_s for _, at_s, _ in self._happenings]),
            happens_end=self._ints("ends", [ends for _, _, ends in self._happenings]),
            ask=self._asked(),
        )
        windows = [self._windows(f"fault {place}", each) for place, each in enumerate(plan.fates.windows)]
        config.fault_windows = self._array("fault windows", c.Windows, windows)
        config.rules = self._array("rules", c.Rules, [self._of_rules(each) for each in self._rules])
        config.delay = self._array("delays", c.Delay, delays)
        return config

    def _delays(self) -> list[c.Delay]:
        starts: dict[float, int] = {}
        delays = []
        for window, more_s, cause in slow_windows(self._plan):
            seen = starts.setdefault(window.start_s, len(starts))
            delays.append(c.Delay(window.start_s, window.end_s, more_s, cause, seen))
        self._delay_starts = len(starts)
        """How many different starts of slow windows there are."""
        return delays

    def _of_causes(self, action: Action, figure: Callable[[Fault], float]) -> list[float]:
        """By cause: a figure of the fault it names, where that does this to an attempt."""
        plan = self._plan
        return [
            figure(plan.fault_of(cause)) if each == action and plan.vocabulary.causes[cause].fault else math.nan
            for cause, each in enumerate(plan.action)
        ]

    def _slow_factor(self, fault: Fault) -> float:
        return self._queue.fleet.strikes[fault.name].factor

    def _of_rules(self, rules: Queue) -> c.Rules:
        drawn = any(each.backoff.drawn for each in (self._queue, *self._queue.by_kind))
        waits_s = [math.nan if drawn else rules.backoff.full_s(attempt) for attempt in range(1, c.WAITS + 1)]
        most = -1 if rules.max_deliveries is None else rules.max_deliveries
        return c.Rules(rules.last_attempt, most, rules.time_limit_s, (c_double * c.WAITS)(*waits_s))

    def _asked(self) -> c.Asked:
        def kept(kind: Any, function: Callable[..., float], failed: float = _FAILED) -> Any:
            return kind(partial(self._guarded, function, failed))

        return c.Asked(
            chunk=kept(c.CHUNK, self._chunk),
            fates=kept(c.FATES, self._fates),
            rivals=kept(c.RIVALS, self._rivals),
            kinds=kept(c.KINDS, self._kinds),
            wait_s=kept(c.WAIT, self._wait_s, math.nan),
            worker_name=kept(c.NAME, self._worker_name, math.nan),
            outage_cause=kept(c.OUTAGE_CAUSE, self._outage_cause),
            happen=kept(c.HAPPEN, self._happen),
        )

    def _guarded(self, function: Callable[..., float], failed: float, *words: Any) -> float:
        """What a function gives; an error is kept until the kernel has returned."""
        try:
            return function(*words)
        except BaseException as error:  # noqa: BLE001 - an interrupt, too, has to wait for the kernel
            self._error = error
            return failed

    # What the kernel asks for.

    def _chunk(self, due: Any, number: Any, cause: Any, count: Any) -> int:
        chunk = next(self._chunks, None)
        if chunk is None:
            return 0
        if not self._outages:
            first = chunk.cause == NO_CAUSE
            self._recorder.enqueue(chunk.due_s[first], chunk.number[first])
        due[0] = self._floats("due", chunk.due_s)
        number[0], cause[0] = self._ints("number", chunk.number), self._ints("cause", chunk.cause)
        count[0] = len(chunk)
        return 1

    def _fates(self, slot: int, block: int, attempt: int, copy: int, fates: Any) -> int:
        drawn, fill = self._plan.fates.block(block, attempt, copy), fates[0]
        fill.service_s = self._floats((slot, "service"), drawn.service_s)
        fill.cause, fill.within = self._ints((slot, "cause"), drawn.cause), self._floats((slot, "within"), drawn.within)
        if not drawn.windowed:
            fill.windowed = None
            return 0
        counts = np.zeros(BLOCK + 1, dtype=np.int64)
        for place, faults in drawn.windowed.items():
            counts[place + 1] = len(faults)
        met = [each for place in sorted(drawn.windowed) for each in drawn.windowed[place]]
        fill.windowed = self._ints((slot, "windowed"), np.cumsum(counts))
        fill.windowed_fault = self._ints((slot, "fault"), [each.place for each in met])
        fill.windowed_cause = self._ints((slot, "causes"), [each.cause for each in met])
        fill.windowed_within = self._floats((slot, "withins"), [each.within for each in met])
        return 0

    def _rivals(self, slot: int, block: int, attempt: int, count: Any) -> int:
        count[0] = self._ints((slot, "rivals"), self._contention.of_block(block, attempt))
        return 0

    def _kinds(self, slot: int, block: int, kind: Any) -> int:
        assert self._plan.kinds
        kind[0] = self._ints((slot, "kinds"), self._plan.kinds.of_block(block))
        return 0

    def _worker_name(self, worker: int) -> float:
        return self._plan.vocabulary.name(worker_name(worker))

    def _outage_cause(self, start_s: float, end_s: float) -> int:
        return outage_cause(self._plan, self._outage_faults, start_s, end_s)

    def _happen(self, what: int, now: float, rows: Any, reopens: Any) -> int:
        fault, _, ends = self._happenings[what]
        told = self._ended(fault) if ends else self._started(fault)
        numbers = [number for kind, cause, value in told for number in (now, kind, -1, 0, -1, cause, value)]
        for place, number in enumerate(numbers):
            rows[place] = number
        reopens[0] = ends and fault.type != TELEMETRY_LOSS and not fault.spec.process
        return len(told)

    def _started(self, fault: Fault) -> list[tuple[Kind, int, float]]:
        """What is recorded when a scheduled fault begins: kind, cause and value."""
        plan, cause = self._plan, self._plan.cause_of(fault)
        told: list[tuple[Kind, int, float]] = [(Kind.FAULT_INJECTED, cause, 0.0)]
        if fault.spec.process:
            told.append((Kind.PROCESS_EXITED, cause, plan.process_of(fault)))
        elif fault.type in ENDS_A_SERVICE:
            told.append((Kind.PROCESS_EXITED, cause, plan.vocabulary.name(fault.dependency)))
        elif fault.type in SHOW_AT_ONCE:
            told.append((Kind.FAULT_SEEN, cause, 0.0))
        return told

    def _ended(self, fault: Fault) -> list[tuple[Kind, int, float]]:
        plan, cause = self._plan, self._plan.cause_of(fault)
        told: list[tuple[Kind, int, float]] = [(Kind.FAULT_CLEARED, cause, 0.0)]
        if fault.type in ENDS_A_SERVICE:
            told.append((Kind.PROCESS_STARTED, NO_CAUSE, plan.vocabulary.name(fault.dependency)))
        if fault.type == TELEMETRY_LOSS:
            told.append((Kind.SAMPLE_LOST, cause, 0.0))
        elif fault.spec.process:
            told.append((Kind.PROCESS_STARTED, NO_CAUSE, plan.process_of(fault)))
        return told

    # Memory that is shared.

    def _floats(self, key: object, values: Floats | Sequence[float]) -> Any:
        return self._pointer(key, np.ascontiguousarray(values, dtype=np.float64), c_double)

    def _ints(self, key: object, values: Any) -> Any:
        return self._pointer(key, np.ascontiguousarray(values, dtype=np.int64), c_int64)

    def _pointer(self, key: object, array: Floats | Ints, kind: Any) -> Any:
        self._kept[key] = array
        return array.ctypes.data_as(POINTER(kind))

    def _windows(self, key: str, windows: Sequence[Window]) -> c.Windows:
        edges = [edge for window in windows for edge in (window.start_s, window.end_s)]
        return c.Windows(len(windows), self._floats(key, edges))

    def _array(self, key: str, kind: Any, values: Sequence[Any]) -> Any:
        self._kept[key] = array = (kind * max(1, len(values)))(*values)
        return ctypes.cast(array, POINTER(kind))
