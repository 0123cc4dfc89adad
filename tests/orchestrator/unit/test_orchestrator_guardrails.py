"""Token budgets: the decision, the compact report, and what the store has after it."""

import pytest
from ensemble import got, put_into, types

from soak.systems.orchestrator.body import Result
from soak.systems.orchestrator.db_store import Store
from soak.systems.orchestrator.enforce_guardrails import finish
from soak.systems.orchestrator.model import TaskState
from soak.systems.orchestrator.settings import Guardrail
from soak.systems.orchestrator.token_guardrails import REPORT_CHARACTERS, Action, Decision, decide, report_problems


@pytest.mark.parametrize(
    ("tokens", "guardrail", "decision"),
    [
        (0, "enforce", Decision(Action.ALLOW)),
        (80, "enforce", Decision(Action.ALLOW)),
        (81, "enforce", Decision(Action.SUMMARISE, "soft_exceed")),
        (100, "enforce", Decision(Action.SUMMARISE, "soft_exceed")),
        (101, "enforce", Decision(Action.BLOCK, "guardrail_exceed")),
        (101, "warn", Decision(Action.ALLOW, "guardrail_exceed")),
        (81, "warn", Decision(Action.SUMMARISE, "soft_exceed")),
    ],
)
def test_the_decision(tokens: int, guardrail: Guardrail, decision: Decision) -> None:
    assert decide(tokens, soft_tokens=80, hard_tokens=100, guardrail=guardrail) == decision


@pytest.mark.parametrize(
    ("report", "problems"),
    [
        ("done\nall of it", []),
        (" \n", ["the report is empty"]),
        ("x" * REPORT_CHARACTERS, []),
        ("x" * (REPORT_CHARACTERS + 1), ["the report has 2001 characters, at most 2000"]),
        ("x\n" * 20, ["the report has 21 lines, at most 20"]),
    ],
)
def test_a_compact_report(report: str, problems: list[str]) -> None:
    assert report_problems(report) == problems


@pytest.mark.parametrize(
    ("tokens", "state", "events", "notes"),
    [
        (10, TaskState.DONE, ["done"], ""),
        (90, TaskState.DONE, ["guardrail", "done"], "short"),
        (500, TaskState.BLOCKED, ["blocked"], "blocked: look at the error, then `ops replan --id 1`"),
    ],
)
def test_the_decision_takes_effect(store: Store, tokens: int, state: TaskState, events: list[str], notes: str) -> None:
    put_into(store, TaskState.IN_PROGRESS)
    assert finish(store, got(store, 1), "w0", Result(tokens, "short"))
    assert (got(store, 1).state, got(store, 1).tokens, types(store)[2:]) == (state, tokens, events)
    assert got(store, 1).notes.startswith(notes)


def test_a_report_that_is_not_compact_is_noted(store: Store) -> None:
    put_into(store, TaskState.IN_PROGRESS)
    finish(store, got(store, 1), "w0", Result(90, ""))
    assert got(store, 1).notes == "the report is empty"
