"""How long a task of a queue waits after an attempt that failed: drawn by address, and on average."""

from collections.abc import Callable

import numpy as np

from soak.schemas.language.backoff import GROWTH, Backoff
from soak.schemas.systems.queue.settings import Queue, queue_of
from soak.simulation.draws import Draws
from soak.simulation.plan import Plan

_STREAM = "backoff"
_POINTS = 128


def waits_of(rules: Callable[[int], Queue], plan: Plan) -> Callable[[int, int], float]:
    """The wait in seconds after an attempt (from 1) at a task: `wait(number, attempt)`. rules: what holds for a task."""
    queue = queue_of(plan.scenario)
    if not any(each.backoff.drawn for each in (queue, *queue.by_kind)):
        return lambda number, attempt: rules(number).backoff.full_s(attempt)
    draws = Draws(plan.seed, _STREAM)
    return lambda number, attempt: rules(number).backoff.wait_s(attempt, draws.of_copies(number))


def mean_waits(backoff: Backoff, attempts: int) -> list[float]:
    """The mean wait in seconds after each of the first `attempts` attempts.

    Of decorrelated waits there is no closed form where they reach their maximum: the distribution of each is carried on to the
    next as the means of equal parts of it.
    """
    if not backoff.decorrelated:
        return [backoff.full_s(attempt) * (1 - backoff.jitter / 2) for attempt in range(1, attempts + 1)]
    share = (np.arange(_POINTS) + 0.5) / _POINTS
    waits_s, means = np.full(_POINTS, backoff.initial_s), []
    for _ in range(attempts):
        drawn_s = backoff.initial_s + np.outer(GROWTH * waits_s - backoff.initial_s, share)
        waits_s = np.sort(np.minimum(backoff.max_s, drawn_s).ravel()).reshape(_POINTS, _POINTS).mean(axis=1)
        means.append(float(waits_s.mean()))
    return means
