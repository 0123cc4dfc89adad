"""The service-level indicators of a gateway."""

from soak.schemas.language import slis
from soak.schemas.language.expression import Unit
from soak.schemas.language.slis import Aggregate, Better, Sli, catalogue, count, gauge, growth, ratio
from soak.schemas.language.tolerance import FEW, SHARE, TOTAL, Tolerance

_LEVEL = Tolerance(relative=0.5, absolute=3)

SLIS = catalogue(
    (
        slis.SUCCESS_RATE,
        *slis.LATENCY,
        slis.LOST_TASKS,
        slis.ILLEGAL_TRANSITIONS,
        slis.STALL_TIME,
        slis.LATENCY_GROWTH,
        slis.THROUGHPUT,
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
        gauge("in_service", Unit.COUNT, "requests that the service works on, as sampled", _LEVEL, compared=False),
        gauge("outbox", Unit.COUNT, "rows that wait in the outbox, as sampled", _LEVEL, compared=False),
        growth("outbox", Unit.COUNT_PER_HOUR, "the rows that wait in the outbox"),
        gauge("load_cpu", Unit.RATIO, "share of a core used by the busiest process that makes load", compared=False),
        gauge("load_lag", Unit.DURATION, "how late the load was with a request", compared=False),
    )
)
