"""What is not scaled with the speed of a real run: a process needs that long, however fast a scenario is run."""

from collections.abc import Iterator

from msgspec import Struct

from soak.schemas.systems.pipeline.settings import Pipeline

PROBE_S, START_S, GRACE_S, SILENCE_S, SETTLING_S = 0.5, 5.0, 2.0, 0.5, 0.5
"""In real seconds: timeout of a probe, time to start, grace at the end, stream timeout, and how long a minute settles."""

SETTLES_S = 1.0
"""How long after its end a minute is closed, in scenario time."""


class Floor(Struct, frozen=True):
    """A time that is longer in a run than the scenario says: what it is, in real seconds, as asked for and as it is."""

    what: str
    asked_s: float
    real_s: float


def floors_of(pipeline: Pipeline, speed: float) -> Iterator[Floor]:
    """The times that are not scaled at a speed. Raises nothing."""
    supervisor = pipeline.supervisor
    for what, scenario_s, least_s in (
        ("the timeout of a probe", supervisor.health.timeout_s, PROBE_S),
        ("the time to start", supervisor.health.start_timeout_s, START_S),
        ("the grace of a shutdown", supervisor.grace_s, GRACE_S),
        ("the stream timeout", pipeline.stream_timeout_s, SILENCE_S),
        ("the settling of a minute", SETTLES_S, SETTLING_S),
    ):
        if scenario_s / speed < least_s:
            yield Floor(what, scenario_s / speed, least_s)
