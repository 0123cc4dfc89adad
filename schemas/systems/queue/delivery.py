"""What can be wrong with how a scenario says that tasks are delivered: retries, acknowledgement, redelivery limits."""

from collections.abc import Iterator

from soak.schemas.errors import Problem
from soak.schemas.language.backoff import DECORRELATED
from soak.schemas.language.view import View

NONE = "none"
"""The heartbeat of a lease that nothing renews."""

_RETRY = "queue", "retry"


def _backoff(view: View) -> Iterator[Problem]:
    backoff, jitter = view.get(*_RETRY, "backoff"), view.get(*_RETRY, "jitter")
    if jitter == DECORRELATED and isinstance(backoff, list):
        what = "decorrelated jitter grows by itself, up to a maximum, and cannot follow a list of waits"
        yield view.problem((*_RETRY, "jitter"), what, "write backoff: {initial: 1s, max: 10m}, or jitter: full")
    first_s, most_s = (view.duration(*_RETRY, "backoff", key) for key in ("initial", "max"))
    if first_s is not None and most_s is not None and first_s > most_s:
        what = f"the first wait of {backoff['initial']} is above the longest, {backoff['max']}"
        yield view.problem((*_RETRY, "backoff", "initial"), what, "write a shorter one, or raise max")


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
