"""What each fault did and what it cost, in words."""

import msgspec
import pytest
from histories import verdict

from soak.reports.attribution import MOST_ROWS, OccasionRow, attribution_tables, breach_words, cost_words
from soak.runner.attribution_line import attribution_line
from soak.schemas.evidence.attribution import Cost, FaultAttribution, Occasion, Spread
from soak.schemas.evidence.verdict import Verdict

OCCASION = Occasion(
    start_s=600,
    injected_s=601,
    cleared_s=721,
    detected_s=603.5,
    detected_by="fault.seen",
    alert="out",
    alerted_s=661,
    resolved_s=730,
    recovered_s=741,
    not_recovered="",
    open_before=2,
    still_open=None,
    cost=Cost(failed=1, retried=1200),
    ended=40,
    late=3,
    breach_s=120,
    shared_with=["other"],
)
FAULT = FaultAttribution("down", "db_outage", 1, 2, Cost(failed=1), alerts=1, windows=1, occasions=[OCCASION])


def row(fault: FaultAttribution = FAULT, **changed: object) -> OccasionRow:
    occasion = msgspec.structs.replace(OCCASION, **changed)
    tables = attribution_tables([msgspec.structs.replace(fault, occasions=[occasion])])
    assert tables is not None
    return tables.occasions[0]


def test_a_window_in_words() -> None:
    assert row() == OccasionRow(
        fault="down",
        injected="10m1s",
        lasted="120s",
        detected="after 2.5s (fault.seen)",
        alert="out after 60s, resolved at 12m10s",
        recovered="after 20s",
        cost="1 task failed, 1,200 attempts retried, 3 of 40 tasks late, 120s in breach, shared with other",
    )


def test_what_did_not_happen() -> None:
    quiet = row(
        cleared_s=None, detected_s=None, alert="", alerted_s=None, resolved_s=None, cost=Cost(), late=0, breach_s=None
    )
    assert (quiet.lasted, quiet.detected, quiet.alert, quiet.cost) == (
        "to the end",
        "never",
        "none fired",
        "none counted",
    )
    assert row(msgspec.structs.replace(FAULT, alerts=0), alerted_s=None).alert == "no alerts"
    assert row(alerted_s=500.0, resolved_s=None).alert == "out fired already"
    open_still = row(recovered_s=None, not_recovered="no task was DONE since", still_open=7, late=None, breach_s=None)
    assert (open_still.recovered, open_still.cost) == (
        "not seen: no task was DONE since",
        "1 task failed, 1,200 attempts retried, 7 tasks open at the end",
    )
    assert row(injected_s=None) == OccasionRow("down", "not (planned for 10m)", "", "", "", "", "")


def test_many_windows_are_summed_up() -> None:
    many = msgspec.structs.replace(
        FAULT,
        windows=30,
        occasions=[OCCASION] * 30,
        detected=Spread(29, 2.5, 70),
        alerted=None,
        recovered=Spread(30, 20, 25),
    )
    tables = attribution_tables([many])
    assert tables is not None
    assert (len(tables.occasions), tables.more) == (MOST_ROWS, {"down": 10})
    assert tables.spreads == [
        "down: detected in 29 of 30 windows after 2.5s (median), at most 70s; an alert in none of 30 windows; "
        "recovered in 30 of 30 windows after 20s (median), at most 25s"
    ]


def test_without_faults_there_is_no_table() -> None:
    assert attribution_tables([]) is None


def test_a_breach_is_explained_where_there_can_be_one() -> None:
    with_bins = attribution_tables([msgspec.structs.replace(FAULT, bin_s=60.0, breach_otherwise=0.25)])
    without = attribution_tables([FAULT])
    assert with_bins is not None and without is not None
    assert "bins of 60s" in breach_words(with_bins)
    assert breach_words(with_bins).endswith("Of the rest of the run 25% is in breach.")
    assert breach_words(without) == ""


def test_what_a_fault_cost_is_said_in_order_of_weight() -> None:
    words = cost_words(Cost(failed=2, retried=3, blocked=4, lost=1, duplicated=5))
    assert list(words) == [
        "1 task lost",
        "2 tasks failed",
        "4 tasks blocked",
        "5 executions too many",
        "3 attempts retried",
    ]


# The line for the terminal.


def of(*faults: FaultAttribution, tasks: int = 100) -> Verdict:
    made = verdict("0 enqueued 1\n")
    return msgspec.structs.replace(made, attribution=list(faults), tasks={**made.tasks, "accepted": tasks})


@pytest.mark.parametrize(("failed", "said"), [(0, False), (1, False), (2, True)])
def test_a_fault_that_cost_little_is_not_named(failed: int, said: bool) -> None:
    fault = msgspec.structs.replace(FAULT, cost=Cost(failed=failed, retried=50))
    assert bool(attribution_line(of(fault))) is said


def test_the_most_costly_fault_is_named() -> None:
    failing = msgspec.structs.replace(FAULT, fault="failing", cost=Cost(failed=50), recovered=Spread(1, 20, 20))
    losing = msgspec.structs.replace(FAULT, fault="losing", cost=Cost(lost=1), recovered=Spread(1, 20, 90))
    assert attribution_line(of(failing)) == "fault failing: 50 tasks failed, recovered 20s after its end"
    assert attribution_line(of(failing, losing)) == (
        "fault losing: 1 task lost, recovered 90s after its end (and 1 more: see the report)"
    )


def test_a_fault_that_was_not_recovered_from_is_named() -> None:
    lasting = msgspec.structs.replace(OCCASION, recovered_s=None, not_recovered="no task was DONE since")
    fault = msgspec.structs.replace(FAULT, cost=Cost(), occasions=[lasting])
    assert attribution_line(of(fault)) == "fault down: no recovery seen from 1 of 1 windows"
    ends_with_the_run = msgspec.structs.replace(lasting, cleared_s=None)
    assert attribution_line(of(msgspec.structs.replace(fault, occasions=[ends_with_the_run]))) == ""
