"""The queue in happysim: one entity handles an event for each task, and a Resource holds the workers."""

from collections.abc import Generator
from importlib.metadata import version
from typing import Any

from happysimulator import Entity, Event, Instant, Simulation
from happysimulator.components.resource import Resource
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
    draws, tally = Draws(setting), Tally()
    times = draws.arrivals()
    workers = Resource("workers", capacity=setting.workers)

    class Orchestrator(Entity):
        """What becomes of a task."""

        def handle_event(self, event: Event) -> Generator[Any, Any, list[Event]]:
            due_s = self.now.to_seconds()
            tally.tasks += 1
            for attempt in range(MAX_ATTEMPTS):
                grant = yield workers.acquire()
                met = draws.met()
                held_s = BUSY_TIMEOUT_S if TRANSIENT <= met < DB_LOCK else 0.0
                yield until_poll_s(self.now.to_seconds()) + draws.service_s() + held_s
                grant.release()
                tally.attempts += 1
                if met >= DB_LOCK:
                    if met >= BLOCKED:
                        tally.done += 1
                        tally.latency_s += self.now.to_seconds() - due_s
                    return []
                if attempt < len(BACKOFF_S):
                    tally.retries += 1
                    yield BACKOFF_S[attempt]
            return []

    class Source(Entity):
        """Makes an event for each task, and one for itself."""

        def handle_event(self, event: Event) -> list[Event]:
            return [Event(self.now, "task", target=orchestrator), *following()]

    def following() -> list[Event]:
        due_s = next(times, None)
        return [] if due_s is None else [Event(Instant.from_seconds(due_s), "arrival", target=source)]

    orchestrator, source = Orchestrator("orchestrator"), Source("source")
    simulation = Simulation(
        end_time=Instant.from_seconds(setting.drain_s), entities=[orchestrator, source, workers], sources=[]
    )
    simulation.schedule(following())
    simulation.run()
    return tally


if __name__ == "__main__":
    main("happysim", version("happysim"), run)
