"""The queue in SimPy as its documentation would write it: a process for each task and a Resource for the workers."""

from collections.abc import Generator
from importlib.metadata import version

import simpy
from queue_model import (
    BACKOFF_S,
    BLOCKED,
    BUSY_TIMEOUT_S,
    DB_LOCK,
    MAX_ATTEMPTS,
    TRANSIENT,
    Draws,
    Setting,
    Tally,
    main,
    until_poll_s,
)


def run(setting: Setting) -> Tally:
    """Simulate it."""
    env, draws, tally = simpy.Environment(), Draws(setting), Tally()
    workers = simpy.Resource(env, capacity=setting.workers)

    def arrive() -> Generator[simpy.Event, None, None]:
        for due_s in draws.arrivals():
            yield env.timeout(due_s - env.now)
            env.process(task())

    def task() -> Generator[simpy.Event, None, None]:
        due_s = env.now
        tally.tasks += 1
        for attempt in range(MAX_ATTEMPTS):
            with workers.request() as worker:
                yield worker
                met = draws.met()
                held_s = BUSY_TIMEOUT_S if TRANSIENT <= met < DB_LOCK else 0.0
                yield env.timeout(until_poll_s(env.now) + draws.service_s() + held_s)
            tally.attempts += 1
            if met >= DB_LOCK:
                if met >= BLOCKED:
                    tally.done += 1
                    tally.latency_s += env.now - due_s
                return
            if attempt < len(BACKOFF_S):
                tally.retries += 1
                yield env.timeout(BACKOFF_S[attempt])

    env.process(arrive())
    env.run(until=setting.drain_s)
    return tally


if __name__ == "__main__":
    main("SimPy", version("simpy"), run)
