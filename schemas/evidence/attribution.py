"""What each fault did and what it cost: the field `attribution` of verdict.json."""

import msgspec


class Cost(msgspec.Struct, frozen=True):
    """What carries the fault's own cause: tasks FAILED, retries, tasks BLOCKED, tasks lost, executions too many."""

    failed: int = 0
    retried: int = 0
    blocked: int = 0
    lost: int = 0
    duplicated: int = 0


class Occasion(msgspec.Struct, frozen=True):
    """One window of a fault. Times are scenario time in seconds; None where it did not happen before the end, or is not known.

    start_s: of the window. injected_s, detected_s: the first injection, and the first event after it that shows the fault
    (`detected_by` is its type). alert, alerted_s, resolved_s: the alert that fired, and when; before `start_s`: it fired already.
    recovered_s, or why there is none in `not_recovered`. open_before: the most tasks that were open at once before, to which
    recovery returns; still_open: how many are at the end, where there was none. ended: tasks that were due from the start to the
    recovery and have ended; late: those of them slower than a latency objective allows; breach_s: how much of that time an
    objective's indicator was on the wrong side. shared_with: faults whose own such time overlaps it.
    """

    start_s: float
    injected_s: float | None
    cleared_s: float | None
    detected_s: float | None
    detected_by: str
    alert: str
    alerted_s: float | None
    resolved_s: float | None
    recovered_s: float | None
    not_recovered: str
    open_before: int | None
    still_open: int | None
    cost: Cost
    ended: int | None
    late: int | None
    breach_s: float | None
    shared_with: list[str]


class Spread(msgspec.Struct, frozen=True):
    """Delays over the windows of a fault: of how many it is known, their median and the longest, in seconds."""

    windows: int
    median_s: float
    longest_s: float


class FaultAttribution(msgspec.Struct, frozen=True):
    """What a fault did and what it cost.

    alerts: how many the scenario has. windows: how many of the fault had begun; occasions: the first of them. detected, alerted,
    recovered: delays over all windows: from the injection, for recovery from the end of the fault. bin_s: the length of the bins
    in which breaches are looked for; breach_otherwise: the share of the bins outside such times of any fault that are in breach.
    """

    fault: str
    type: str
    injected: int
    seen: int
    cost: Cost
    alerts: int = 0
    windows: int = 0
    occasions: list[Occasion] = []
    detected: Spread | None = None
    alerted: Spread | None = None
    recovered: Spread | None = None
    bin_s: float | None = None
    breach_otherwise: float | None = None
