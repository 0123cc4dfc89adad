"""What cannot be of the queues and the kinds of work of a queue."""

from collections.abc import Callable, Iterator

from soak.schemas.errors import Problem, quoted
from soak.schemas.language.schema import read_schema
from soak.schemas.language.shape import did_you_mean
from soak.schemas.language.view import View
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.fleet import OF_WORKERS
from soak.schemas.systems.queue.kinds import queue_of_kind

_QUEUES = ("queue", "queues")


def _kinds_of_queues(view: View) -> Iterator[Problem]:
    """Kinds that exist, each in one queue."""
    declared, taken = list(view.names("workload", "kinds")), dict[str, str]()
    for where, item in view.entries(*_QUEUES):
        kinds = item.get("kinds")
        for place, kind in enumerate(kinds if isinstance(kinds, list) else ()):
            if not isinstance(kind, str):
                continue
            if kind not in declared:
                remedy = did_you_mean(kind, declared) if declared else "declare workload.kinds"
                yield view.problem((*where, "kinds", place), f"the scenario declares no kind {quoted(kind)}", remedy)
            elif kind in taken:
                what = f"{kind} is in the queue {taken[kind]} already"
                yield view.problem((*where, "kinds", place), what, "keep it in one of them")
            else:
                taken[kind] = str(item.get("name"))


def _all_kinds(view: View) -> Iterator[Problem]:
    """A queue for every kind, and a kind for every queue."""
    queues, kinds = view.entries(*_QUEUES), view.names("workload", "kinds")
    if not queues:
        return
    if not kinds:
        what = "queues differ by the kinds of work they take, and there are none"
        yield view.problem(_QUEUES, what, "declare workload.kinds", at_key=True)
        return
    found, rest = queue_of_kind(view.data), [where for where, item in queues if "kinds" not in item]
    for where in rest[1:]:
        yield view.problem(where, "is the second queue that names no kinds", "add kinds: [...]")
    for where, item in view.entries("workload", "kinds"):
        if not rest and isinstance(item.get("name"), str) and item["name"] not in found:
            remedy = "add it to the kinds of one, or add a queue without kinds, which takes all others"
            yield view.problem((*where, "name"), f"no queue takes the kind {quoted(item['name'])}", remedy)
    for where, item in queues:
        if where in rest[:1] and item.get("name") not in found.values():
            yield view.problem(where, "takes no kind of work: the other queues name all of them", "remove it")


def _names(view: View) -> Iterator[Problem]:
    seen = set[str]()
    for where, item in view.entries(*_QUEUES):
        name = item.get("name")
        if isinstance(name, str) and name in seen:
            yield view.problem((*where, "name"), f"the name {quoted(name)} is duplicated", "rename one of them")
        seen |= {name} if isinstance(name, str) else set()


def _workers(view: View) -> Iterator[Problem]:
    """Workers belong to queues, or to none."""
    written = view.document.data.get("queue") if isinstance(view.document.data, dict) else None
    # The default may be written down without changing anything.
    usual = read_schema("scenario")["$defs"]["queue"]["properties"]["workers"]["default"]
    if view.entries(*_QUEUES) and isinstance(written, dict) and written.get("workers", usual) != usual:
        what = "each of the queues has workers of its own"
        yield view.problem(("queue", "workers"), what, "remove it, or give the queues other numbers", at_key=True)


def _fleet(view: View) -> Iterator[Problem]:
    """Queues have a fixed number of workers; faults of workers strike them whatever they do."""
    for where, item in view.entries("faults"):
        if str(item.get("type")) in OF_WORKERS and "rate" not in item and "kind" in item:
            what = f"{item['type']} at a time strikes workers, whatever they do"
            yield view.problem((*where, "kind"), what, "remove it, or add a rate")
    if not view.entries(*_QUEUES):
        return
    for key in ("schedule", "scaling"):
        if view.get("queue", key) is not None:
            what = f"{key} is not possible with queue.queues yet: queues of their own have fixed workers"
            remedy = "remove it, and write the workers of each queue; or remove the queues"
            yield view.problem(("queue", key), what, remedy, at_key=True)
    for where, item in view.entries("faults"):
        if str(item.get("type")) in OF_WORKERS and "rate" not in item:
            crash = item["type"] == QueueFault.WORKER_CRASH
            what = f"{item['type']}{' at a time' if crash else ''} is not possible with queue.queues yet"
            yield view.problem((*where, "type"), what, f"{_POSSIBLE[crash]}; or remove the queues")


_POSSIBLE = {
    True: "write rate: 0.2%, with at and for if it is for a time only: each crash strikes one worker, of any queue",
    False: "write worker_crash or slow_task with a rate: such faults strike attempts, in any queue",
}
"""What there is in place of a fault of workers at a time: of `worker_crash`, and of the others."""


def _limits(view: View) -> Iterator[Problem]:
    for where, item in view.entries(*_QUEUES):
        rate = view.rate(*where, "rate_limit")
        if rate == 0:
            yield view.problem((*where, "rate_limit"), "nothing would ever be dispatched", "write a rate above zero")
        if rate and item.get("prefetch"):
            what = "a worker would start the tasks that it has reserved without asking"
            yield view.problem((*where, "prefetch"), f"does not go with rate_limit: {what}", "remove one of them")
    soft = view.get("queue", "guardrail", "soft_tokens")
    for where, item in view.entries("workload", "kinds"):
        hard = item.get("hard_tokens")
        if isinstance(soft, int) and isinstance(hard, int) and hard < soft:
            what = f"the hard budget of {hard:,} is below the soft budget of {soft:,}"
            yield view.problem(
                (*where, "hard_tokens"), what, "write a larger one, or lower queue.guardrail.soft_tokens"
            )


QUEUE_KIND_CHECKS: tuple[Callable[[View], Iterator[Problem]], ...] = (
    _names,
    _kinds_of_queues,
    _all_kinds,
    _workers,
    _fleet,
    _limits,
)
