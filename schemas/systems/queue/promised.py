"""Which promise of a task system an indicator needs: of a system that makes none of them it says nothing.

The words are those of target files (`schemas/target/model.py: Promise`); all other series always apply.
"""

from collections.abc import Mapping

from soak.schemas.target.promise import Promise

AGAIN = (Promise.AT_LEAST_ONCE, Promise.EXACTLY_ONCE_EFFECT)
"""Of which one says that accepted work is executed to its end, also when workers die."""

PROMISED: Mapping[str, tuple[str, ...]] = {
    "lost_tasks": AGAIN,
    "never_started": AGAIN,
    "stuck_in_progress": AGAIN,
    "redelivery_time": AGAIN,
    "duplicate_executions": (Promise.EXACTLY_ONCE_EFFECT,),
    "duplicates_after_done": (Promise.EXACTLY_ONCE_EFFECT,),
    "duplicates_while_running": (Promise.EXCLUSIVE, Promise.EXACTLY_ONCE_EFFECT),
    "duplicate_block": (Promise.IDEMPOTENT_KEYS,),
    "lease_recovery": (Promise.LEASES,),
    "lease_contentions": (Promise.LEASES,),
    "guardrail_unblocked": (Promise.GUARDRAIL,),
    "backoff_violations": (Promise.BACKOFF,),
    "excess_attempts": (Promise.RETRIES,),
    "recovery": (Promise.RETRIES,),
}
"""By series, as `Language.promised` has it."""
