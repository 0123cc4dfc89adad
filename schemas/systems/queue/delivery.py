"""What can be wrong with how a scenario says that tasks are delivered: retries, acknowledgement, redelivery limits."""

from collections.abc import Iterator
from typing import Any

from soak.schemas.errors import Problem, Where
from soak.schemas.language.backoff import DECORRELATED
from soak.schemas.language.view import View

NONE = "none"
"""The heartbeat of a lease that nothing renews."""

_RETRY = "queue", "retry"


def _backoff(view: View) -> Iterator[Problem]:
    """Of the queue, and of kinds of work that have anything of their own."""
    yield from _waits(view, _RETRY, view.get(*_RETRY, "backoff"), view.get(*_RETRY, "jitter"))
    for where, kind in view.entries("workload", "kinds"):
        own = kind.get("retry")
        if isinstance(own, dict) and ("backoff" in own or "jitter" in own):
            both = [own.get(key, view.get(*_RETRY, key)) for key in ("backoff", "jitter")]
            yield from _waits(view, (*where, "retry"), *both)


def _waits(view: View, where: Where, backoff: Any, jitter: Any) -> Iterator[Problem]:
    if jitter == DECORRELATED and isinstance(backoff, list):
        what = "decorrelated jitter grows by itself, up to a maximum, and cannot follow a list of waits"
        yield view.problem((*where, "jitter"), what, "write backoff: {initial: 1s, max: 10m}, or jitter: full")
    first_s, most_s = (view.duration(*where, "backoff", key) for key in ("initial", "max"))
    if first_s is not None and most_s is not None and first_s > most_s:
        what = f"the first wait of {backoff['initial']} is above the longest, {backoff['max']}"
        yield view.problem((*where, "backoff", "initial"), what, "write a shorter one, or raise max")


def _deliveries(view: View) -> Iterator[Problem]:
    deliveries, attempts = view.get("queue", "max_deliveries"), view.get(*_RETRY, "max_attempts")
    if isinstance(deliveries, int) and isinstance(attempts, int) and deliveries > attempts:
        what = f"no task is delivered {deliveries} times: after {attempts} attempts (retry.max_attempts) it is FAILED"
        remedy = f"write {attempts} at most, or retry: {{max_attempts: {deliveries}}}"
        yield view.problem(("queue", "max_deliveries"), what, remedy)


def _ack(view: View) -> Iterator[Problem]:
    if view.get("queue", "ack") == "early" and view.get("queue", "lease", "heartbeat") == NONE:
        what = "with ack: early a task has no lease that could time out"
        yield view.problem(("queue", "lease", "heartbeat"), what, "remove it, or write ack: late")


DELIVERY_CHECKS = (_backoff, _deliveries, _ack)
