"""The scenario and check that must find each planted defect of the bundled gateway."""

from soak.runner.targets.trials import Trial, Trials
from soak.schemas.evidence.verdict import Status
from soak.systems.gateway.defects import VARIABLE, Defect

PROOFS, FAIRNESS, GROWTH = "gateway-proofs", "gateway-fairness", "gateway-growth"
_SPEED = 1.0
"""Real seconds: how long a service takes to answer does not shrink."""


def _trial(defect: Defect | None, scenario: str, *meant: str, status: Status = Status.FAIL) -> Trial:
    """A run that was disturbed is INCONCLUSIVE: that finds no defect, unless it is what a defect has to lead to."""
    return Trial(defect, scenario, tuple(f"objective {each}" for each in meant), speed=_SPEED, status=status)


_PLANTED = (
    _trial(Defect.CHAIN_FORK, PROOFS, "chain_violations{tenant=A} == 0"),
    _trial(Defect.LOCK_NOT_OWNED, PROOFS, "chain_violations{tenant=A} == 0"),
    _trial(Defect.LOCK_GIVEN_UP, PROOFS, "chain_violations{tenant=A} == 0"),
    _trial(
        Defect.VERIFY_FIRST_ROWS,
        PROOFS,
        "chain_rows_verified{tenant=A} == rows_written",
        status=Status.INCONCLUSIVE,
    ),
    _trial(Defect.OUTBOX_DROPS, PROOFS, "reconcile_gap{tenant=A} == 0"),
    _trial(Defect.TIMELINE_STUCK, PROOFS, "timelines_stuck{tenant=A} == 0"),
    _trial(Defect.ROOT_LATE, PROOFS, "roots_missing == 0"),
    _trial(Defect.CROSS_TENANT, PROOFS, "wrong_answers{kind=others} == 0"),
    _trial(Defect.ONE_POOL, FAIRNESS, "latency_p90{tenant=quiet, phase=burst} <= 2x phase=baseline"),
    _trial(Defect.QUIET_THROTTLED, PROOFS, "throttled{tenant=C} == 0"),
    _trial(Defect.DENIED_ALLOWED, PROOFS, "wrong_answers{kind=denied} == 0"),
    _trial(Defect.TOKEN_NOT_RENEWED, PROOFS, "wrong_answers{kind=own} == 0"),
    _trial(Defect.POOL_LEAK, GROWTH, "server_errors == 0", "timeouts == 0"),
    _trial(Defect.MEMORY_GROWTH, GROWTH, "rss_growth <= 1500MB/h"),
    _trial(Defect.SLOW_QUERY, GROWTH, "latency_p95{kind=newest} <= 400ms"),
    _trial(Defect.ERROR_AS_SUCCESS, PROOFS, "wrong_answers{kind=allowed} == 0"),
)
"""One for each defect that the gateway knows."""

_CLEAN = (_trial(None, PROOFS), _trial(None, FAIRNESS), _trial(None, GROWTH))
"""Runs that must have no findings."""

TRIALS = Trials(VARIABLE, _PLANTED, _CLEAN)
