"""The machine repairman, M/M/c//N: N users who think and then need one of c workers, in closed form.

Exact for exponential times; the means of other service times are near where users outnumber neither think nor work by far.
"""

import math

import numpy as np
from msgspec import Struct

_MOST_STATES = 1 << 20


class Balance(Struct, frozen=True):
    """In the long run: tasks that end per second, and the mean number of tasks in the system (waiting or worked on)."""

    throughput_per_s: float
    in_system: float


def balance(users: int, between_s: float, service_s: float, workers: float) -> Balance:
    """The balance of `users` with these mean times, and `workers` (inf: as many as there are users).

    Source: the birth-death process with rates (N - n) / Z up and min(n, c) / S down (Kleinrock, Queueing Systems I, 3.8; the
    same as mean value analysis with one station that depends on its load, Reiser & Lavenberg 1980).
    """
    if not users or not service_s:
        return Balance(users / between_s if between_s else math.inf, 0.0)
    if workers >= users:
        throughput_per_s = users / (between_s + service_s)
        return Balance(throughput_per_s, throughput_per_s * service_s)
    if users >= _MOST_STATES:
        throughput_per_s = bound(users, between_s, service_s, workers)
        return Balance(throughput_per_s, users - throughput_per_s * between_s)
    before = np.arange(users, dtype=np.float64)
    with np.errstate(divide="ignore"):
        steps = np.log((users - before) * service_s / np.minimum(before + 1, workers)) - math.log(between_s)
    weights = np.concatenate([[0.0], np.cumsum(steps)])
    chances = np.exp(weights - weights.max())
    chances /= chances.sum()
    in_system = float(chances @ np.arange(users + 1))
    return Balance((users - in_system) / between_s, in_system)


def bound(users: float, between_s: float, service_s: float, workers: float) -> float:
    """The most tasks per second, min(N / (Z + S), c / S), whatever the distributions (Denning & Buzen 1978)."""
    return min(users / (between_s + service_s), workers / service_s) if service_s else users / between_s
