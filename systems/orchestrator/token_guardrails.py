"""Whether a task kept to its token budget: pure decisions, nothing is written here."""

from dataclasses import dataclass
from enum import StrEnum

from soak.systems.orchestrator.settings import Guardrail

HARD_EXCEED = "guardrail_exceed"
SOFT_EXCEED = "soft_exceed"
REPORT_LINES, REPORT_CHARACTERS = 20, 2000


class Action(StrEnum):
    """What follows from the tokens used."""

    ALLOW = "allow"
    SUMMARISE = "summarise"
    """Over the soft budget: the task is done, and its report must be compact."""

    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Decision:
    """An action, and the name of the budget that was exceeded, if one was."""

    action: Action
    warning: str = ""


def decide(tokens: int, *, soft_tokens: int, hard_tokens: int, guardrail: Guardrail = "enforce") -> Decision:
    """The decision on `tokens` used. A budget is exceeded above it, not at it; `warn` never blocks."""
    if tokens > hard_tokens:
        return Decision(Action.BLOCK if guardrail == "enforce" else Action.ALLOW, HARD_EXCEED)
    if tokens > soft_tokens:
        return Decision(Action.SUMMARISE, SOFT_EXCEED)
    return Decision(Action.ALLOW)


def report_problems(report: str) -> list[str]:
    """Why a report is not compact; nothing if it is."""
    problems = []
    if not report.strip():
        problems.append("the report is empty")
    if len(report) > REPORT_CHARACTERS:
        problems.append(f"the report has {len(report)} characters, at most {REPORT_CHARACTERS}")
    if (lines := report.count("\n") + 1) > REPORT_LINES:
        problems.append(f"the report has {lines} lines, at most {REPORT_LINES}")
    return problems
