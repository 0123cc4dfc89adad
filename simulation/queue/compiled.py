"""The queue, compiled: `kernel.c` behind the face of `QueueModel`. That is the reference: where the two differ, this is wrong."""

import ctypes
import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from soak.schemas.language.faults import Fault
from soak.schemas.language.windows import Window
from soak.schemas.stream.events import CENSUS
from soak.schemas.stream.states import TaskState
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.queue.faults import OUTAGES, QueueFault
from soak.schemas.systems.queue.settings import GuardrailMode, Queue, queue_of
from soak.simulation.blocks import WIDTH
from soak.simulation.compiled.calls import BITS, FLOATS_OUT, INTS_OUT, NUMBER, POINTER, REAL, Handle, Library
from soak.simulation.compiled.library import Unavailable
from soak.simulation.compiled.signals import postponed
from soak.simulation.plan import Plan
from soak.simulation.queue import kernel_types as c
from soak.simulation.queue.actions import Action
from soak.simulation.queue.answers import FAILED, Answers
from soak.simulation.queue.lease import Leases, NoLeases, VisibilityTimeouts, union, windows_of
from soak.simulation.queue.network import slow_windows
from soak.simulation.queue.places import Places
from soak.simulation.queue.polls import Polls
from soak.simulation.recorder import Recorder
from soak.simulation.streams import BLOCK, Stream

_RENEWED, _VISIBILITY, _NO_LEASES = range(3)

KERNEL = Library(
    Path(__file__).with_name("kernel.c"),
    {
        "queue_new": (POINTER, ctypes.POINTER(c.Config), NUMBER),
        "queue_run": (NUMBER, POINTER, REAL),
        "queue_recorded": (NUMBER, POINTER),
        "queue_take": (None, POINTER, FLOATS_OUT),
        "queue_ended_s": (REAL, POINTER),
        "queue_census": (None, POINTER, INTS_OUT),
        "queue_free": (None, POINTER),
        "queue_uniform": (REAL, ctypes.POINTER(BITS), NUMBER, NUMBER, NUMBER),
    },
    {
        **{
            kind.__name__: ctypes.sizeof(kind)
            for kind in (c.Config, c.Rules, c.Delay, c.Fates, c.Windows, c.Fault, c.Callbacks)
        },
        "WIDTH": WIDTH,
        "BLOCK": BLOCK,
        "WAITS": c.WAITS,
        "TOLD": c.MOST_TOLD,
        "KINDS": len(c.CODES),
        "FAILED": FAILED,
        "RENEWED": _RENEWED,
        "VISIBILITY": _VISIBILITY,
        "NO_LEASES": _NO_LEASES,
        **{action.name: action for action in Action},
        **{f"S_{state.name}": state for state in TaskState},
    },
)


def kernel() -> ctypes.CDLL:
    """The compiled kernel. Raises Unavailable."""
    if not _draws_alike(loaded := KERNEL.load()):
        raise Unavailable("this NumPy draws otherwise than kernel.c")
    return loaded


@cache
def _draws_alike(loaded: ctypes.CDLL) -> bool:
    sample = Stream(0, "uniform")
    return bool(loaded.queue_uniform(sample.key_words, 1, 2, 3) == sample.at(1, 2).random(4)[3])


class CompiledQueueModel:
    """See `QueueModel`. Raises Unavailable if the kernel cannot be had."""

    def __init__(self, plan: Plan, recorder: Recorder) -> None:
        self._kernel = kernel()
        self.ended_s: float | None = None
        self._recorder, self._answers = recorder, Answers(plan, recorder)
        self._config, starts = _config(plan, self._answers)
        self._made = Handle(self._kernel.queue_new(self._config, starts), self._kernel.queue_free)

    def run(self, until_s: float) -> None:
        """Simulate up to `until_s`, and accept the work that is due by then.

        Signals wait until the kernel returns: measured, 0.01 s for a block of a run, 0.05 s for the larger ones of replications.
        """
        with postponed():
            failed = self._kernel.queue_run(self._made, until_s)
        if failed:
            error, self._answers.error = self._answers.error or MemoryError(), None
            raise error
        rows = np.empty((self._kernel.queue_recorded(self._made), WIDTH))
        self._kernel.queue_take(self._made, rows)
        self._recorder.record(rows)
        ended_s = self._kernel.queue_ended_s(self._made)
        self.ended_s = None if math.isnan(ended_s) else ended_s

    def census(self, now: float) -> None:
        """Record how many tasks the model itself holds in each state."""
        counts = np.zeros(len(TaskState), dtype=np.int64)
        self._kernel.queue_census(self._made, counts)
        for state, kind in CENSUS.items():
            self._recorder.row((now, kind, -1, 0, -1, NO_CAUSE, int(counts[state])))


def _config(plan: Plan, answers: Answers) -> tuple[c.Config, int]:
    """What a queue is made of, and how many different starts of windows with a slow network there are."""
    queue, memory, outages = queue_of(plan.scenario), answers.memory, windows_of(plan.scenario, *OUTAGES)
    leases = Leases.of(queue, outages, windows_of(plan.scenario, QueueFault.WATCHDOG_CRASH))
    polls, places = Polls.of(plan, leases), Places.of(plan)
    delays, starts = _delays(plan)

    def windows(key: object, of: Sequence[Window]) -> c.Windows:
        return c.Windows(len(of), memory.floats(key, [edge for each in of for edge in (each.start_s, each.end_s)]))

    of_faults = [windows(("fault", place), each) for place, each in enumerate(plan.fates.windows)]
    strikes = queue.fleet.strikes
    config = c.Config(
        **_numbers(plan, leases),
        regular_polls=polls.regular,
        placed=places is not None,
        phases=len(polls.phases_s),
        delays=len(delays),
        happenings=len(answers.happenings),
        many_rules=len(answers.rules) > 1,
        faults=len(plan.fates.faults),
        phases_s=memory.floats("phases", polls.phases_s),
        outages=windows("outages", outages),
        blind=windows("blind", union([*leases.outages, *leases.watchdog_gone])),
        gone=windows("gone", polls.gone),
        codes=memory.ints("codes", [int(code) for code in c.CODES]),
        action=memory.ints("action", plan.action),
        hang_for_s=memory.floats("hang", _of_causes(plan, Action.HANG, lambda fault: fault.hang_for_s)),
        slow_factor=memory.floats("slow", _of_causes(plan, Action.SLOW, lambda fault: strikes[fault.name].factor)),
        fault_windows=memory.structures("windows", c.Windows, of_faults),
        fault=_of_faults(plan, answers),
        rules=memory.structures("rules", c.Rules, [_of_rules(queue, each) for each in answers.rules]),
        before=memory.ints("before", places.before if places else []),
        delay=memory.structures("delays", c.Delay, delays),
        happens_s=memory.floats("happens", [at_s for _, at_s, _ in answers.happenings]),
        happens_end=memory.ints("ends", [ends for _, _, ends in answers.happenings]),
        ask=answers.asked(),
    )
    return config, starts


def _numbers(plan: Plan, leases: Leases) -> dict[str, float]:
    """Counts, choices and times, by their names in `Config`."""
    queue = queue_of(plan.scenario)
    return {
        "workers": queue.workers,
        "lease_kind": {VisibilityTimeouts: _VISIBILITY, NoLeases: _NO_LEASES}.get(type(leases), _RENEWED),
        "acks_early": queue.acks_early,
        "times_out": queue.times_out,
        "enforces": queue.guardrail_mode is GuardrailMode.ENFORCE,
        "contended": queue.dispatchers > 1,
        "watched": leases.watched,
        "late_cause": plan.late_cause,
        "poll_interval_s": queue.poll_interval_s,
        "lease_s": leases.lease_s,
        "heartbeat_s": leases.heartbeat_s,
        "watchdog_s": leases.watchdog_s,
        "worker_restart_s": queue.worker_restart_s,
        "busy_timeout_s": queue.busy_timeout_s,
        "sample_interval_s": plan.scenario.telemetry.sample_interval_s,
        "duration_s": plan.ends_s,
    }


def _delays(plan: Plan) -> tuple[list[c.Delay], int]:
    starts: dict[float, int] = {}
    delays = []
    for window, more_s, cause in slow_windows(plan):
        seen = starts.setdefault(window.start_s, len(starts))
        delays.append(c.Delay(window.start_s, window.end_s, more_s, cause, seen))
    return delays, len(starts)


def _of_causes(plan: Plan, action: Action, figure: Callable[[Fault], float]) -> list[float]:
    """By cause: a figure of the fault it names, where that does this to an attempt."""
    return [
        figure(plan.fault_of(cause)) if each == action and plan.vocabulary.causes[cause].fault else math.nan
        for cause, each in enumerate(plan.action)
    ]


def _of_faults(plan: Plan, answers: Answers) -> int:
    """The address of what is known of how each fault is drawn."""
    memory = answers.memory
    found = []
    for place, drawn in enumerate(plan.fates.faults):
        causes = memory.ints(("causes of", place), drawn.causes)
        found.append(c.Fault(drawn.stream.key_words, drawn.fault.rate, drawn.by_attempt, len(drawn.causes), causes))
    return memory.structures("fault", c.Fault, found)


def _of_rules(queue: Queue, rules: Queue) -> c.Rules:
    drawn = any(each.backoff.drawn for each in (queue, *queue.by_kind))
    waits_s = [math.nan if drawn else rules.backoff.full_s(attempt) for attempt in range(1, c.WAITS + 1)]
    most = -1 if rules.max_deliveries is None else rules.max_deliveries
    return c.Rules(rules.last_attempt, most, rules.time_limit_s, (REAL * c.WAITS)(*waits_s))
