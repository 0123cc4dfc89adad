"""When replications were decided: what `soak run --stop-when-decided` would save."""

import math
from collections.abc import Callable, Sequence

from soak.runner.predict.figures import distribution_of, share_of
from soak.runner.replications.replication import Replication
from soak.schemas.evidence.prediction import EarlyPrediction
from soak.schemas.evidence.verdict import Status

_HALF, _MOST = 0.5, 0.95


def decided(made: Sequence[Replication], duration_s: float) -> EarlyPrediction:
    """Of the verdicts on all objectives."""
    return _of(made, duration_s, lambda each: each.decided_s, lambda each: each.decided_as)


def decidable(made: Sequence[Replication], duration_s: float) -> EarlyPrediction:
    """Without waiting for what only the end decides."""

    def time_of(each: Replication) -> float | None:
        return min((t_s for t_s in (each.decided_s, each.decidable_s) if t_s is not None), default=None)

    def status_of(each: Replication) -> str | None:
        return each.decided_as if time_of(each) == each.decided_s else Status.PASS.value

    return _of(made, duration_s, time_of, status_of)


def _of(
    made: Sequence[Replication],
    duration_s: float,
    time_of: Callable[[Replication], float | None],
    status_of: Callable[[Replication], str | None],
) -> EarlyPrediction:
    early = [(t_s, each) for each in made if (t_s := time_of(each)) is not None and t_s < duration_s]
    times = sorted(t_s for t_s, _ in early)
    differing = sum(_failed(each) is not (status_of(each) == Status.FAIL) for _, each in early)
    half_s, most_s = (_by(times, len(made), q) for q in (_HALF, _MOST))
    return EarlyPrediction(share_of(len(times), len(made)), distribution_of(times), half_s, most_s, differing)


def _failed(replication: Replication) -> bool:
    return any(each.status is Status.FAIL for each in replication.objectives)


def _by(times: Sequence[float], total: int, q: float) -> float | None:
    """By when a share `q` of all was decided."""
    needed = math.ceil(q * total)
    return times[needed - 1] if 0 < needed <= len(times) else None
