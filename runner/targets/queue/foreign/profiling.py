"""The scenario by which `soak target check` sees what a task system keeps of its promises, and how each is seen."""

from collections.abc import Iterator, Mapping, Sequence

from soak.runner.targets.profiling import Profiling, Tested
from soak.runner.targets.queue.foreign.target import level_of
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.indicators import SLIS
from soak.schemas.target.load import LoadedTarget
from soak.schemas.target.model import Promise, Promises, TargetFile
from soak.schemas.units import show_duration

LEVELS = {
    0: "submissions and bodies",
    1: "submissions, bodies, processes of workers",
    2: "submissions, bodies, processes of workers, services",
    3: "submissions, bodies, processes of workers, services, a census",
    4: "submissions, bodies, and an account of the system's own",
}
"""What can be judged, by level."""

LONGEST_S = 120.0
"""Redelivery that may take longer, in real seconds, is not waited for."""

SEED = 70
"""With it, some tasks fail transiently at first, and none of them twice."""

_TRANSIENT, _PERMANENT, _OVER = "transient", "permanent", "over"
_SETTLE_S = 30.0
_SCENARIO = """\
version: 1
name: check
system: queue
duration: 26s
drain: {drain}
seed: {seed}
workload:
  arrivals: {{rate: 2/s, process: constant}}
  task: {{duration: {{distribution: constant, value: 300ms}}}}
queue:
  workers: {workers}
  worker_restart: 500ms
  retry: {{max_attempts: 4, backoff: [1s, 2s, 2s]}}
telemetry: {{sample_interval: 1s}}
faults:
{faults}
slos:
{slos}
"""

_FAULTS: Mapping[str, str] = {
    QueueFault.TRANSIENT_ERROR: "rate: 25%, errors: [timeout], at: 2s, for: 6s",
    QueueFault.PERMANENT_ERROR: "rate: 50%, errors: [rejected], at: 10s, for: 3s",
    QueueFault.DUPLICATE_ENQUEUE: "rate: 100%, delay: {distribution: constant, value: 700ms}, at: 14s, for: 3s",
    QueueFault.GUARDRAIL_EXCEED: "rate: 50%, at: 14s, for: 3s",
    QueueFault.WORKER_CRASH: "rate: 100%, at: 19s, for: 1s",
}
"""What is done to the system, one after the other."""

_WHOLE = frozenset(Promise) - {Promise.AT_LEAST_ONCE, Promise.REDELIVERY, Promise.PRIORITIES, Promise.ORDER}
"""What a system keeps that gives an account: the whole contract."""

_TESTS: Mapping[Promise, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Promise.AT_LEAST_ONCE: (("lost_tasks",), (QueueFault.WORKER_CRASH,)),
    Promise.EXACTLY_ONCE_EFFECT: (("lost_tasks", "duplicate_executions"), (QueueFault.WORKER_CRASH,)),
    Promise.REDELIVERY: (("redelivery_time_max", "lost_tasks"), (QueueFault.WORKER_CRASH,)),
    Promise.EXCLUSIVE: (("duplicates_while_running",), ()),
    Promise.IDEMPOTENT_KEYS: (("duplicate_block_rate",), (QueueFault.DUPLICATE_ENQUEUE,)),
    Promise.RETRIES: (("recovery_rate", "excess_attempts"), (QueueFault.TRANSIENT_ERROR,)),
    Promise.BACKOFF: (("backoff_violations",), (QueueFault.TRANSIENT_ERROR,)),
    Promise.PERMANENT_ERRORS: (("illegal_transitions",), (QueueFault.PERMANENT_ERROR,)),
    Promise.GUARDRAIL: (("guardrail_unblocked",), (QueueFault.GUARDRAIL_EXCEED,)),
}
"""By promise: the indicators that tell, and the faults without which they tell nothing."""

_UNTESTED: Mapping[Promise, str] = {
    Promise.LEASES: "seen from outside only by redelivery",
    Promise.HEARTBEATS: "seen from outside only by redelivery",
    Promise.PRIORITIES: "submissions have no priority here",
    Promise.ORDER: "tasks of several workers start in any order",
}
_TARGETS = {"recovery_rate": "== 100%", "duplicate_block_rate": "== 100%"}


def profiling(loaded: LoadedTarget) -> Profiling:
    """The check of a target file."""
    file = loaded.file
    promises = Promises(_WHOLE) if file.account else file.promises or Promises()
    level = 4 if file.account else level_of(file)
    tested = tuple(_tested(each, promises, file) for each in Promise)
    return Profiling(_scenario(tested, promises, file), level, LEVELS[level], tested)


def _tested(promise: Promise, promises: Promises, file: TargetFile) -> Tested:
    if promise not in promises:
        return Tested(promise.value, promised=False)
    slis, faults = _TESTS.get(promise, ((), ()))
    why = _UNTESTED.get(promise, "" if slis else "nothing tells it from outside")
    if QueueFault.WORKER_CRASH in faults:
        why = _why_no_crash(promises, file)
    if promise is Promise.PERMANENT_ERRORS and Promise.RETRIES not in promises:
        why = "nobody promises retries, so that nothing is made again"
    return Tested(promise.value, slis=tuple(each for each in slis if each in SLIS), faults=faults, untested=why)


def _why_no_crash(promises: Promises, file: TargetFile) -> str:
    """Why no worker is killed; empty where one is."""
    bound_s = _bound_s(promises, file)
    if not file.workers:
        return "its workers are its own, and the target file starts none that could be killed"
    if bound_s is None:
        return "nothing says within which time (add {redelivery: 1m})"
    slow = f"it may take {show_duration(bound_s)} (a faster clock shortens that: clock: {{faketime: 10}})"
    return slow if bound_s > LONGEST_S else ""


def _bound_s(promises: Promises, file: TargetFile) -> float | None:
    """Within which time work of a dead worker is started again, in real seconds."""
    return None if promises.redelivery_s is None else promises.redelivery_s / (file.faketime or 1.0)


def _scenario(tested: Sequence[Tested], promises: Promises, file: TargetFile) -> str:
    bound_s = _bound_s(promises, file)
    will = [each for each in tested if each.promised and not each.untested]
    faults = {fault for each in will for fault in each.faults}
    waits = QueueFault.WORKER_CRASH in faults and bound_s is not None
    return _SCENARIO.format(
        drain=f"{_SETTLE_S + (bound_s or 0.0 if waits else 0.0):g}s",
        seed=SEED,
        workers=file.workers.count if file.workers and file.workers.count else 2,
        faults="\n".join(_lines(faults)) or "  []",
        slos="\n".join(f"  - {each}" for each in _objectives(will, bound_s)),
    )


def _lines(faults: set[str]) -> Iterator[str]:
    for kind, how in _FAULTS.items():
        if kind in faults:
            yield f"  - {{name: {kind.replace('_', '-')}, type: {kind}, {how}}}"


def _objectives(tested: Sequence[Tested], bound_s: float | None) -> Iterator[str]:
    yield "illegal_transitions == 0"
    for sli in dict.fromkeys(sli for each in tested for sli in each.slis if sli != "illegal_transitions"):
        limit = f"<= {bound_s:g}s" if sli == "redelivery_time_max" and bound_s is not None else "== 0"
        yield f"{sli} {_TARGETS.get(sli, limit)}"
