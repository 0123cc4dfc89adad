"""The scenario and check that must find each planted defect of the bundled gateway."""

from soak.runner.targets.trials import Trial, Trials
from soak.systems.gateway.defects import VARIABLE, Defect

PROOFS = "gateway-proofs"


def _trial(defect: Defect | None, scenario: str, *meant: str) -> Trial:
    return Trial(defect, scenario, tuple(f"objective {each}" for each in meant), speed=1.0)


_PLANTED = (
    _trial(Defect.CHAIN_FORK, PROOFS, "chain_violations{tenant=A} == 0"),
    _trial(Defect.LOCK_NOT_OWNED, PROOFS, "chain_violations{tenant=A} == 0"),
    _trial(Defect.LOCK_GIVEN_UP, PROOFS, "chain_violations{tenant=A} == 0"),
    _trial(Defect.VERIFY_FIRST_ROWS, PROOFS, "chain_rows_verified{tenant=A} == rows_written"),
    _trial(Defect.OUTBOX_DROPS, PROOFS, "reconcile_gap{tenant=A} == 0"),
    _trial(Defect.TIMELINE_STUCK, PROOFS, "timelines_stuck{tenant=A} == 0"),
    _trial(Defect.ROOT_LATE, PROOFS, "roots_missing == 0"),
    _trial(Defect.CROSS_TENANT, PROOFS, "wrong_answers{kind=others} == 0"),
    _trial(Defect.QUIET_THROTTLED, PROOFS, "throttled{tenant=C} == 0"),
    _trial(Defect.DENIED_ALLOWED, PROOFS, "wrong_answers{kind=denied} == 0"),
    _trial(Defect.TOKEN_NOT_RENEWED, PROOFS, "wrong_answers{kind=own} == 0"),
    _trial(Defect.ERROR_AS_SUCCESS, PROOFS, "wrong_answers{kind=allowed} == 0"),
)
"""One for each defect that the gateway knows."""

_CLEAN = (_trial(None, PROOFS),)
"""Runs that must have no findings."""

TRIALS = Trials(VARIABLE, _PLANTED, _CLEAN)
