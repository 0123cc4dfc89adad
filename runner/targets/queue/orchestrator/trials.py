"""The scenario and check that must find each planted defect of the bundled orchestrator."""

from soak.runner.targets.trials import Trial, Trials
from soak.systems.orchestrator.defects import VARIABLE, Defect

STEADY, ZOMBIES, LEAKS = "steady", "zombies", "leaks"

_PLANTED = (
    Trial(Defect.CLAIM_NOT_ATOMIC, STEADY, ("objective duplicate_executions == 0",)),
    Trial(Defect.BACKOFF_IGNORED, STEADY, ("objective backoff_violations == 0",)),
    Trial(Defect.LEASE_NEVER_EXPIRES, STEADY, ("fault crash", "objective lease_recovery_rate >= 80%")),
    Trial(Defect.OWNER_NOT_CHECKED, ZOMBIES, ("objective refused >= 5", "objective illegal_transitions == 0")),
    Trial(Defect.IDEMPOTENCY_OFF, STEADY, ("objective duplicate_block_rate == 100%",)),
    Trial(Defect.IDEMPOTENCY_DONE_ONLY, STEADY, ("objective duplicate_block_rate == 100%",)),
    Trial(Defect.GUARDRAIL_IGNORED, STEADY, ("objective guardrail_unblocked == 0",)),
    Trial(Defect.RETRIES_WITHOUT_END, STEADY, ("objective excess_attempts == 0",), ("queue.retry.max_attempts=2",)),
    Trial(Defect.TASK_LOST_ON_CRASH, STEADY, ("objective lost_tasks == 0", "law conservation")),
    Trial(Defect.FAILURE_RECORDED_AS_DONE, STEADY, ("law ledger_agreement",)),
    Trial(Defect.TRANSACTION_HELD, STEADY, ("doubt", "objective wait_p95 <= 30s", "objective success_rate >= 90%")),
    Trial(Defect.CONNECTION_LEAK, LEAKS, ("objective open_files_growth <= 60/h",)),
    Trial(Defect.MEMORY_LEAK, LEAKS, ("objective rss_growth <= 10MB/h",)),
    Trial(Defect.SLOW_CLAIM, LEAKS, ("objective wait_p50{phase=late} <= 2x phase=early",)),
    Trial(
        Defect.TELEMETRY_DROPPED,
        STEADY,
        ("law conservation", "objective lost_tasks == 0", "objective illegal_transitions == 0"),
    ),
    Trial(Defect.WATCHDOG_ASLEEP, STEADY, ("fault crash", "objective lease_recovery_rate >= 80%")),
)
"""One for each defect that the orchestrator knows."""

_CLEAN = (Trial(None, STEADY), Trial(None, ZOMBIES), Trial(None, LEAKS))
"""Runs that must have no findings."""

TRIALS = Trials(VARIABLE, _PLANTED, _CLEAN)
