"""The queue of scenarios/72h.yaml as plain numbers, for the scripts beside this one, and the measurement they share.

Arrivals: Poisson, 5 a minute, 20 a minute in the first 5 minutes of each hour. A worker takes the oldest work at whole
seconds, as a dispatcher that polls does. Attempts take a lognormal time (median 8 s, p95 20 s). 10 % fail at their end and 2 %
of the others hold their worker for 5 s more and fail; both are tried again after 1, 3 and 10 minutes, four times in all.
1 % of the rest end the task as blocked. Duplicates are refused where they come in and take no worker: they are left out.
`plain`: nothing fails. `times`: as many times the arrivals and the workers.

This module and the models import nothing of the product, so that each can be read and run alone.
"""

import argparse
import gc
import json
import math
import platform
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HOUR_S, BURST_S = 3600.0, 300.0
RATE_PER_S, BURST_PER_S = 5 / 60, 20 / 60
WORKERS = 10
SERVICE_MU, SERVICE_SIGMA = math.log(8.0), math.log(20.0 / 8.0) / 1.6448536269514722
BACKOFF_S = (60.0, 180.0, 600.0)
MAX_ATTEMPTS = 4
BUSY_TIMEOUT_S = 5.0
TRANSIENT = 0.10
DB_LOCK = TRANSIENT + (1 - TRANSIENT) * 0.02
BLOCKED = DB_LOCK + (1 - DB_LOCK) * 0.01
"""Upper ends of the shares of a uniform number that decide what an attempt meets: the first fault that hits decides."""
TASKS_72H, BARE_TIMEOUTS, PENDING = 27_000, 60_000, 100
SHORT_S = 0.1
"""A run that is shorter is made as many times as fill this, in CPU seconds: bare SimPy takes about as long."""


@dataclass(frozen=True)
class Setting:
    """What is to be simulated."""

    seed: int = 1
    hours: float = 72.0
    times: int = 1
    plain: bool = False

    @property
    def until_s(self) -> float:
        """When arrivals end, in seconds."""
        return self.hours * HOUR_S

    @property
    def drain_s(self) -> float:
        """When the simulation ends at the latest, in seconds."""
        return self.until_s + 1800.0

    @property
    def workers(self) -> int:
        """How many attempts run at a time."""
        return WORKERS * self.times


@dataclass
class Tally:
    """What came of a run: `latency_s` is the sum over tasks that are done, from when they were due.

    `cpu_s`, `peak_mb`: of the run, where they are not those of the whole call.
    """

    tasks: int = 0
    attempts: int = 0
    done: int = 0
    retries: int = 0
    latency_s: float = 0.0
    cpu_s: float | None = None
    peak_mb: float | None = None

    @property
    def events(self) -> int:
        """Arrivals, beginnings and ends of attempts, ends of waits: whatever a tool makes of them."""
        return self.tasks + 2 * self.attempts + self.retries


class Draws:
    """Random numbers of a model, from Python's own generator."""

    def __init__(self, setting: Setting) -> None:
        self._random = random.Random(setting.seed)
        self._setting = setting

    def arrivals(self) -> Iterator[float]:
        """When tasks are due, in seconds: a unit-rate Poisson process through the inverse of the integrated rate."""
        in_burst = BURST_S * BURST_PER_S
        in_hour = in_burst + (HOUR_S - BURST_S) * RATE_PER_S
        mark, until_s, times = 0.0, self._setting.until_s, self._setting.times
        exponential = self._random.expovariate
        while True:
            mark += exponential(times)
            hours, rest = divmod(mark, in_hour)
            within_s = rest / BURST_PER_S if rest < in_burst else BURST_S + (rest - in_burst) / RATE_PER_S
            due_s = hours * HOUR_S + within_s
            if due_s >= until_s:
                return
            yield due_s

    def service_s(self) -> float:
        """How long an attempt takes, in seconds."""
        return self._random.lognormvariate(SERVICE_MU, SERVICE_SIGMA)

    def met(self) -> float:
        """The uniform number that decides what an attempt meets; 1 where nothing fails."""
        return 1.0 if self._setting.plain else self._random.random()


def until_poll_s(now_s: float) -> float:
    """How long it is until the next whole second."""
    return math.ceil(now_s) - now_s


def bare_simpy() -> None:
    """The unit of the table: SimPy's clock alone, a timeout with a callback for each arrival and attempt of 72 hours."""
    import simpy

    env = simpy.Environment()
    left = BARE_TIMEOUTS - PENDING

    def callback(_: object) -> None:
        nonlocal left
        if left:
            left -= 1
            env.timeout(1.0).callbacks.append(callback)

    for index in range(PENDING):
        env.timeout(index / PENDING).callbacks.append(callback)
    env.run()


def status_mb(key: str) -> float:
    """VmHWM (peak) or VmRSS (now) of this process in MB; 0 where the system does not say."""
    path = Path("/proc/self/status")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(key)), 0.0)


def cpu_of(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    gc.collect()
    before = time.process_time()
    work()
    return time.process_time() - before


def main(name: str, version: str, run: Callable[[Setting], Tally], *, warm: bool = False, note: str = "") -> None:
    """Measure `run`, each time beside bare SimPy, and print the figures as JSON.

    The runs of the rounds have seeds of their own. `warm`: the first run compiles something and is counted apart.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=72.0)
    parser.add_argument("--times", type=int, default=1, help="as many times the arrivals and the workers")
    parser.add_argument("--plain", action="store_true", help="nothing fails")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help="without bare SimPy beside it: for memory")
    given = parser.parse_args()
    first_s = cpu_of(lambda: run(Setting(given.seed, 1.0, given.times, given.plain))) if warm else 0.0
    before_mb = status_mb("VmRSS")
    rounds = []
    if not given.alone:
        bare_simpy()
    for turn in range(given.rounds):
        setting = Setting(given.seed + turn, given.hours, given.times, given.plain)
        rounds.append(measured(run, setting, alone=given.alone))
    figures = {
        "name": name,
        "version": version,
        "python": platform.python_version(),
        "note": note,
        "compile_s": round(first_s, 3),
        "before_mb": round(before_mb, 1),
        "rounds": rounds,
    }
    print(json.dumps(figures))


def measured(run: Callable[[Setting], Tally], setting: Setting, *, alone: bool) -> dict[str, float]:
    """The figures of one run; `ratio`: its CPU per task over that of bare SimPy before and after it."""
    before_s = 0.0 if alone else cpu_of(bare_simpy)
    cpu_s, tally = once(run, setting)
    if not alone and cpu_s < SHORT_S:
        turns = round(SHORT_S / cpu_s) + 1
        cpu_s = sum(once(run, setting)[0] for _ in range(turns)) / turns
    row = {
        "tasks": tally.tasks,
        "attempts": tally.attempts,
        "events": tally.events,
        "mean_attempts": tally.attempts / tally.tasks,
        "mean_latency_s": tally.latency_s / tally.done,
        "cpu_s": cpu_s,
        "peak_mb": status_mb("VmHWM") if tally.peak_mb is None else tally.peak_mb,
    }
    if not alone:
        row["bare_s"] = (before_s + cpu_of(bare_simpy)) / 2
        row["ratio"] = (row["cpu_s"] / tally.tasks) / (row["bare_s"] / TASKS_72H)
    return row


def once(run: Callable[[Setting], Tally], setting: Setting) -> tuple[float, Tally]:
    """CPU seconds of one run, and what came of it."""
    kept: list[Tally] = []
    cpu_s = cpu_of(lambda: kept.append(run(setting)))
    return cpu_s if kept[0].cpu_s is None else kept[0].cpu_s, kept[0]
