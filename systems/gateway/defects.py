"""Mistakes that can be planted, each by its name in `GATEWAY_DEFECT` (several with commas): what a soak has to find."""

from collections.abc import Mapping
from enum import StrEnum

VARIABLE = "GATEWAY_DEFECT"


class Defect(StrEnum):
    """One mistake."""

    CHAIN_FORK = "chain_fork"
    LOCK_NOT_OWNED = "lock_not_owned"
    LOCK_GIVEN_UP = "lock_given_up"
    VERIFY_FIRST_ROWS = "verify_first_rows"
    OUTBOX_DROPS = "outbox_drops"
    TIMELINE_STUCK = "timeline_stuck"
    ROOT_LATE = "root_late"
    CROSS_TENANT = "cross_tenant"
    ONE_POOL = "one_pool"
    QUIET_THROTTLED = "quiet_throttled"
    DENIED_ALLOWED = "denied_allowed"
    TOKEN_NOT_RENEWED = "token_not_renewed"
    POOL_LEAK = "pool_leak"
    MEMORY_GROWTH = "memory_growth"
    SLOW_QUERY = "slow_query"
    ERROR_AS_SUCCESS = "error_as_success"


LOCK_DEFECTS = frozenset({Defect.LOCK_NOT_OWNED, Defect.LOCK_GIVEN_UP})
UNGUARDED = LOCK_DEFECTS | {Defect.CHAIN_FORK}
"""With these, nothing but the lock (if any) keeps two appends of a tenant apart."""

WHAT: Mapping[Defect, str] = {
    Defect.CHAIN_FORK: "an append reads the head of the chain without any lock, and writes 5 ms later",
    Defect.LOCK_NOT_OWNED: "the lock of a chain expires after 20 ms; one append of four takes 60 ms, deletes it anyway",
    Defect.LOCK_GIVEN_UP: "an append takes 20 ms, and one that has waited 50 ms for the lock writes without it",
    Defect.VERIFY_FIRST_ROWS: "/audit/verify reads the first 100 rows of a tenant only",
    Defect.OUTBOX_DROPS: "one of 50 messages of the outbox is deleted without its usage",
    Defect.TIMELINE_STUCK: "one of 50 executions stays in progress",
    Defect.ROOT_LATE: "the root of a day is sealed a day later than it could be",
    Defect.CROSS_TENANT: "/executions/ID shows the execution of any tenant",
    Defect.ONE_POOL: "a tenant may hold all connections, and requests get one in the order of arrival",
    Defect.QUIET_THROTTLED: "all tenants share one bucket of the default limit (50/s where there is none)",
    Defect.DENIED_ALLOWED: "one of 10 requests that the policy denies is allowed",
    Defect.TOKEN_NOT_RENEWED: "tokens end after 2 s, whatever `expires_in` says, and a refreshed one with the old one",
    Defect.POOL_LEAK: "one of 100 requests does not give its connection back",
    Defect.MEMORY_GROWTH: "each request leaves 20 KB behind",
    Defect.SLOW_QUERY: "/executions reads all executions of all tenants to show the newest",
    Defect.ERROR_AS_SUCCESS: "one of 20 executions answers 200 with a 504 in its body",
}
"""What each one changes, in a sentence."""
