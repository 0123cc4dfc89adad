"""The service-level indicators of a gateway."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from soak.schemas.language import slis
from soak.schemas.language.expression import Unit
from soak.schemas.language.slis import FIRST_PHASE, Aggregate, Better, Sli, catalogue, count, gauge, growth, ratio
from soak.schemas.language.tolerance import FEW, SHARE, TOTAL, Tolerance

SLOWDOWN = Sli(
    "slowdown",
    "99th percentile of the latency in a phase / that in the phase gateway.fairness.baseline (by default the first)",
    Unit.COUNT,
    Aggregate.QUANTILE,
    "latency",
    Better.LOWER,
    0.99,
    censored=True,
    per_task=True,
    once_a_task=True,
    on_demand=True,
    over=FIRST_PHASE,
    compared=False,
)
JAIN_INDEX = Sli(
    "jain_index",
    "Jain's index of the throughput of tenants / what each is entitled to (1: all get their due)",
    Unit.COUNT,
    Aggregate.EVENNESS,
    "fair_share",
    Better.HIGHER,
    on_demand=True,
    by=("phase",),
    at_the_end=True,
    tolerance=Tolerance(absolute=0.02),
)


SLIS = catalogue(
    (
        slis.SUCCESS_RATE,
        *slis.LATENCY,
        slis.LOST_TASKS,
        slis.ILLEGAL_TRANSITIONS,
        slis.STALL_TIME,
        slis.LATENCY_GROWTH,
        slis.THROUGHPUT,
        SLOWDOWN,
        JAIN_INDEX,
        count("requests", "requests that ended", TOTAL, better=Better.HIGHER),
        count("wrong_answers", "requests answered otherwise than expected", FEW),
        count("throttled", "requests answered 429", FEW),
        count("server_errors", "requests answered with an error of the server", FEW),
        count("timeouts", "requests that were not answered in time", FEW),
        count("connection_errors", "requests whose connection was refused or broke", FEW),
        ratio("answered_rate", "answered", "requests that were answered, well or not / requests that ended"),
        Sli(
            "wrong_answer_rate",
            "requests answered otherwise than expected / requests that ended",
            Unit.RATIO,
            Aggregate.RATIO,
            "wrong_answer",
            Better.LOWER,
            per_task=True,
            once_a_task=True,
            tolerance=SHARE,
        ),
        Sli(
            "throttled_rate",
            "requests answered 429 / requests that ended",
            Unit.RATIO,
            Aggregate.RATIO,
            "throttle",
            Better.LOWER,
            per_task=True,
            once_a_task=True,
            tolerance=SHARE,
        ),
        gauge("in_service", Unit.COUNT, "requests that the service works on, as sampled", compared=False),
        gauge("outbox", Unit.COUNT, "rows that wait in the outbox, as sampled", compared=False),
        growth("outbox", Unit.COUNT_PER_HOUR, "the rows that wait in the outbox"),
        gauge("load_cpu", Unit.RATIO, "share of a core used by the busiest process that makes load", compared=False),
        gauge("load_lag", Unit.DURATION, "how late the load was with a request", compared=False),
    )
)


def slis_with(scenario: Mapping[str, Any]) -> Mapping[str, Sli]:
    """`slowdown`, over the phase that a scenario as it is written compares with; of wrong shapes nothing."""
    gateway, phases = scenario.get("gateway"), scenario.get("phases")
    fairness = gateway.get("fairness") if isinstance(gateway, Mapping) else None
    said = fairness.get("baseline") if isinstance(fairness, Mapping) else None
    first = phases[0].get("name") if isinstance(phases, list) and phases and isinstance(phases[0], Mapping) else None
    name = said or first
    return {SLOWDOWN.name: replace(SLOWDOWN, over=name)} if isinstance(name, str) and name else {}
