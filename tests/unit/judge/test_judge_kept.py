"""The table of promises: what a run kept, broke, or never put to the test."""

import pytest
from histories import foreign, verdict
from msgspec.structs import replace

from soak.schemas.evidence.verdict import Section
from soak.schemas.stream.identity import Identity

SLOS = "slos: [success_rate >= 0%]\nqueue: {retry: {max_attempts: 2, backoff: [10s]}}"
ALL = (
    "at_least_once exactly_once_effect exclusive idempotent_keys retries backoff permanent_errors redelivery leases"
    " heartbeats guardrail priorities order crashes_count"
)


def table(history: str, who: Identity) -> dict[str, tuple[str, str]]:
    """By promise, its result and what was seen."""
    made = verdict(history, SLOS, until=500, identity=who)
    assert isinstance(made.sections, list)
    [section] = made.sections
    assert section.columns == ["promise", "result", "what was seen"]
    return {promise: (result, said) for promise, result, said in section.rows}


def test_nothing_happened_nothing_was_tested() -> None:
    found = table("0 enqueued 1\n1 dispatched 1\n1 started 1\n2 ended 1\n2 done 1", foreign(ALL, redelivery_s=30))
    assert {promise for promise, (result, _) in found.items() if result == "kept"} == {"exclusive"}
    assert {result for result, _ in found.values()} == {"kept", "not tested"}
    assert found["redelivery"] == ("not tested", "no execution died")
    assert found["exclusive"] == ("kept", "0 of 1 executions while another one ran")


KEPT = """
0 enqueued 1
1 dispatched 1 w0
1 started 1 @1 w0
2 ended 1 @1 w0 error=process_gone
7 retry 1 error=process_gone due=7
7 dispatched 1 w1
7 started 1 @2 w1
8 ended 1 @2 w1
8 done 1 @2 w1
8 duplicate 1.2
8 skipped 1.2
9 enqueued 2
9 dispatched 2
9 started 2 @1
10 ended 2 @1 error=network
10 retry 2 @1 error=network due=20
21 dispatched 2
21 started 2 @2
22 ended 2 @2
22 done 2 @2
"""


def test_what_was_kept() -> None:
    found = table(KEPT, foreign(ALL, redelivery_s=30))
    assert found["at_least_once"] == ("kept", "1 started again after their execution had died")
    assert found["redelivery"] == ("kept", "started again after 5s at most (30s promised)")
    assert found["idempotent_keys"] == ("kept", "0 of 1 second submissions accepted")
    assert found["retries"][0] == "kept"
    assert found["backoff"][0] == "kept"


@pytest.mark.parametrize(
    ("promise", "change", "said"),
    [
        ("redelivery", ("", ""), "started again after 5s at most (3s promised)"),
        ("idempotent_keys", ("8 skipped 1.2", "8 enqueued 1.2"), "1 of 1 second submissions accepted"),
        ("backoff", ("21 dispatched 2\n21 started", "15 dispatched 2\n15 started"), "1 of 2 attempts before"),
        ("exactly_once_effect", ("", "30 started 1 @3\n31 ended 1 @3"), "1 executions too many, 1 of them after DONE"),
        (
            "exclusive",
            ("21 started 2 @2", "21 started 2 @2\n21 started 2 @3"),
            "1 of 5 executions while another one ran",
        ),
        ("retries", ("21 dispatched 2\n21 started 2 @2\n22 ended 2 @2\n22 done 2 @2", ""), "1 task was not started"),
        ("at_least_once", ("21 dispatched 2\n21 started 2 @2\n22 ended 2 @2\n22 done 2 @2", ""), "1 lost"),
        ("permanent_errors", ("22 done 2 @2", "22 failed 2 @2\n23 retry 2 @2 error=x due=23"), "tried again"),
    ],
)
def test_what_was_broken(promise: str, change: tuple[str, str], said: str) -> None:
    before, after = change
    history = KEPT.replace(before, after) if before else KEPT + after
    result, words = table(history, foreign(ALL, redelivery_s=3 if promise == "redelivery" else 30))[promise]
    assert result == "broken"
    assert said in words


def test_what_may_still_be_lost_is_not_known() -> None:
    history = "499 enqueued 1\n499.5 enqueued 2\n499.6 dispatched 2\n499.6 started 2\n499.7 ended 2\n499.7 done 2"
    found = table(history, foreign("at_least_once", redelivery_s=30))
    assert found["at_least_once"] == ("not tested", "1 tasks may still be lost")


def test_what_is_not_promised_is_one_line() -> None:
    found = table(KEPT, foreign("at_least_once retries"))
    *promised, others = found
    assert promised == ["at_least_once", "retries"]
    assert others.startswith("exactly_once_effect, exclusive, idempotent_keys, crashes_count, backoff, ")
    assert found[others] == ("not applicable", "not promised")


@pytest.mark.parametrize(("level", "words"), [(0, "submissions and bodies"), (3, "services, a census.")])
def test_the_level_is_said(level: int, words: str) -> None:
    made = verdict(KEPT, SLOS, identity=foreign("retries", level=level))
    assert isinstance(made.sections, list)
    note = made.sections[0].note
    assert note.startswith(f"Judged at level {level}: ")
    assert words in note


def test_a_class_has_no_level() -> None:
    made = verdict(KEPT, SLOS, identity=replace(foreign("retries"), level=None))
    assert isinstance(made.sections, list)
    assert made.sections[0].note == ""


def test_who_declares_nothing_has_no_table() -> None:
    made = verdict(KEPT, SLOS)
    assert not any(isinstance(each, Section) for each in made.sections or ())
