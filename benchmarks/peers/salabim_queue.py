"""The queue in salabim: a component for each task and a Resource for the workers; processes as generators."""

from collections.abc import Generator
from importlib.metadata import version
from typing import Any

import salabim
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
    """Simulate it. `yieldless=False`: processes as generators, which needs no greenlets."""
    env = salabim.Environment(trace=False, yieldless=False)
    draws, tally = Draws(setting), Tally()
    workers = salabim.Resource("workers", capacity=setting.workers, env=env)

    class Arrivals(salabim.Component):  # type: ignore[misc]
        """Makes tasks."""

        def process(self) -> Generator[Any, None, None]:
            for due_s in draws.arrivals():
                yield self.hold(till=due_s)
                Task(env=env)

    class Task(salabim.Component):  # type: ignore[misc]
        """Is tried until it is done."""

        def process(self) -> Generator[Any, None, None]:
            due_s = env.now()
            tally.tasks += 1
            for attempt in range(MAX_ATTEMPTS):
                yield self.request(workers)
                met = draws.met()
                held_s = BUSY_TIMEOUT_S if TRANSIENT <= met < DB_LOCK else 0.0
                yield self.hold(until_poll_s(env.now()) + draws.service_s() + held_s)
                self.release()
                tally.attempts += 1
                if met >= DB_LOCK:
                    if met >= BLOCKED:
                        tally.done += 1
                        tally.latency_s += env.now() - due_s
                    return
                if attempt < len(BACKOFF_S):
                    tally.retries += 1
                    yield self.hold(BACKOFF_S[attempt])

    Arrivals(env=env)
    env.run(till=setting.drain_s)
    return tally


if __name__ == "__main__":
    main("salabim", version("salabim"), run)
