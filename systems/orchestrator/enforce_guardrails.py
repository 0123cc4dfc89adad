"""Puts the decision on a task's tokens into effect: done, done with a warning in the log, or BLOCKED."""

from soak.systems.orchestrator import defects
from soak.systems.orchestrator.body import Result
from soak.systems.orchestrator.db_store import Store
from soak.systems.orchestrator.defects import Defect
from soak.systems.orchestrator.model import Task
from soak.systems.orchestrator.token_guardrails import Action, Decision, decide, report_problems


def finish(store: Store, task: Task, owner: str, result: Result) -> bool:
    """Record the result of an attempt within its budget, or block the task. False when the lease is lost."""
    decision = decision_on(store, result, task)
    if decision.action is Action.BLOCK:
        return store.block(task.id, owner, task.attempt, decision.warning, result.tokens)
    notes = _notes(decision, result)
    return store.complete(task.id, owner, task.attempt, result.tokens, notes=notes, warning=decision.warning)


def decision_on(store: Store, result: Result, task: Task) -> Decision:
    """What the budgets of the store's settings say to a result."""
    if defects.active(Defect.GUARDRAIL_IGNORED):
        return Decision(Action.ALLOW)
    budget = store.settings_for(task.id)
    return decide(
        result.tokens,
        soft_tokens=budget.soft_tokens,
        hard_tokens=budget.hard_tokens,
        guardrail=budget.guardrail,
    )


def _notes(decision: Decision, result: Result) -> str:
    if decision.action is not Action.SUMMARISE:
        return ""
    return "; ".join(report_problems(result.report)) or result.report
