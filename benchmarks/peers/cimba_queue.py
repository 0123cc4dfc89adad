"""The queue in cimba, by its Python package: processes compiled by Numba on the C engine that the package brings along.

A process is spawned for each task; a Resource holds the workers. Numbers are drawn by the engine's own generators.
"""

import math
from importlib.metadata import version

import cimba as cb
from queue_model import (
    BACKOFF_S,
    BLOCKED,
    BURST_PER_S,
    BURST_S,
    BUSY_TIMEOUT_S,
    DB_LOCK,
    HOUR_S,
    MAX_ATTEMPTS,
    RATE_PER_S,
    SERVICE_MU,
    SERVICE_SIGMA,
    TRANSIENT,
    Setting,
    Tally,
    main,
)

IN_BURST = BURST_S * BURST_PER_S
IN_HOUR = IN_BURST + (HOUR_S - BURST_S) * RATE_PER_S
FIRST_S, SECOND_S, THIRD_S = BACKOFF_S


class Task(cb.Model):
    """Is tried until it is done."""

    queue: cb.Ref["Queue"]

    @cb.process
    def life(self) -> None:
        """From arrival to the end."""
        queue = self.queue
        due_s = cb.now()
        queue.tasks += 1.0
        for attempt in range(MAX_ATTEMPTS):
            queue.workers.acquire()
            met = 1.0
            if queue.fails > 0.0:
                met = cb.random.uniform(0.0, 1.0)
            hold_s = math.ceil(cb.now()) - cb.now() + cb.random.lognormal(SERVICE_MU, SERVICE_SIGMA)
            if met >= TRANSIENT and met < DB_LOCK:
                hold_s += BUSY_TIMEOUT_S
            cb.hold(hold_s)
            queue.workers.release()
            queue.attempts += 1.0
            if met >= DB_LOCK:
                if met >= BLOCKED:
                    queue.done += 1.0
                    queue.latency_s += cb.now() - due_s
                break
            if attempt < MAX_ATTEMPTS - 1:
                queue.retries += 1.0
                cb.hold(FIRST_S if attempt == 0 else SECOND_S if attempt == 1 else THIRD_S)
        cb.release(self)


class Queue(cb.Model):
    """Workers, and the source of tasks."""

    until_s: cb.Param[float]
    times: cb.Param[float]
    fails: cb.Param[float]
    tasks: cb.Output[float]
    attempts: cb.Output[float]
    done: cb.Output[float]
    retries: cb.Output[float]
    latency_s: cb.Output[float]
    workers: cb.Resource

    @cb.on_start
    def begin(self) -> None:
        """Outputs begin as not a number."""
        self.tasks = self.attempts = self.done = self.retries = self.latency_s = 0.0

    @cb.process
    def arrive(self) -> None:
        """Spawn a task whenever one is due."""
        mark = 0.0
        while True:
            mark += cb.random.exponential(1.0 / self.times)
            hours = math.floor(mark / IN_HOUR)
            rest = mark - hours * IN_HOUR
            within_s = rest / BURST_PER_S if rest < IN_BURST else BURST_S + (rest - IN_BURST) / RATE_PER_S
            due_s = hours * HOUR_S + within_s
            if due_s >= self.until_s:
                break
            cb.hold(due_s - cb.now())
            cb.spawn(Task, queue=self)


def run(setting: Setting) -> Tally:
    """Simulate it, in one process and thread."""
    model = Queue()
    model.until_s, model.times = setting.until_s, float(setting.times)
    model.fails = 0.0 if setting.plain else 1.0
    model.workers = cb.Resource(capacity=setting.workers)
    window = cb.Window(duration=setting.drain_s)
    results = cb.Experiment(model, replications=1, window=window, seed=setting.seed).run(workers=1)
    if results.failed.any():
        raise SystemExit(f"cimba: {results.failure_reasons}")
    figures = results[model]
    counts = (int(getattr(figures, name).values.item()) for name in ("tasks", "attempts", "done", "retries"))
    return Tally(*counts, latency_s=float(figures.latency_s.values.item()))


if __name__ == "__main__":
    engine = f"C engine {cb.engine_version()}"
    main("cimba", version("cimba"), run, warm=True, note=engine)
