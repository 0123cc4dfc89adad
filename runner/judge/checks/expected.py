"""What was expected of the answers of a check, and what follows from each: PASS, FAIL or INCONCLUSIVE.

A value that must equal another field of the same answer, or reach it, says how much of what there is was looked at: where it is
less, nothing that holds is known to hold of all of it, so that the check says nothing but what it found broken. Likewise where
both are 0: there was nothing to look at.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec import Struct

from soak.runner.judge.checks.outcomes import Answer, Outcomes
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.check import Check, Exactly, Expected, When
from soak.schemas.language.expression import Unit
from soak.schemas.language.model import Scenario

_RANK = {Status.PASS: 0, Status.INCONCLUSIVE: 1, Status.FAIL: 2}


class Found(Struct, frozen=True):
    """What an answer says of an expectation; value and target where they are known."""

    status: Status
    value: float | None
    target: float | None
    detail: str = ""
    text: str = ""

    @property
    def badness(self) -> tuple[int, float]:
        """The larger, the worse."""
        apart = 0.0 if self.value is None or self.target is None else abs(self.value - self.target)
        return _RANK[self.status], apart if self.status is Status.FAIL else -apart


def found_in(check: Check, expected: Expected, answer: Answer) -> Found:
    """What one answer says of an expectation."""
    value, target = answer.values.get(expected.field), target_in(expected, answer)
    if value is None or target is None:
        return Found(Status.INCONCLUSIVE, value, target, f"no answer: {why(answer.failed, check)}")
    text = answer.texts.get(expected.field, "")
    if expected.covers and (value < target or _is_nothing(value, target)):
        detail = _nothing(expected) if value == target else f"it looked at {_share(value, target, expected)}"
        return Found(Status.INCONCLUSIVE, value, target, detail)
    if not expected.op.holds(value, target):
        return Found(Status.FAIL, value, target, _apart(expected, target, text), text)
    if partial := next((each for each in check.expected if each is not expected and _is_partial(each, answer)), None):
        looked, there = answer.values[partial.field], target_in(partial, answer) or 0.0
        share = f"it holds in what was looked at: {_share(looked, there, partial)}"
        return Found(Status.INCONCLUSIVE, value, target, _nothing(partial) if looked == there else share)
    return Found(Status.PASS, value, target)


def _apart(expected: Expected, target: float, text: str) -> str:
    """What an objective that is broken does not say itself: the value beside which it was, or the text in place of a number."""
    if expected.beside is not None:
        return f"{expected.beside} was {Unit.COUNT.show(target)}"
    return f"it answered {text}" if text else ""


def _is_partial(expected: Expected, answer: Answer) -> bool:
    value, target = answer.values.get(expected.field), target_in(expected, answer)
    if not expected.covers or value is None or target is None:
        return False
    return value < target or _is_nothing(value, target)


def _is_nothing(value: float, target: float) -> bool:
    return value == target == 0


def _nothing(expected: Expected) -> str:
    return f"there was nothing to look at ({expected.field} and {expected.beside} are 0)"


def _share(value: float, target: float, expected: Expected) -> str:
    return f"{Unit.COUNT.show(value)} of {Unit.COUNT.show(target)} ({expected.field} of {expected.beside})"


def target_in(expected: Expected, answer: Answer) -> float | None:
    """The target, as a number; None where it is a value that the answer lacks."""
    if expected.beside is not None:
        return answer.values.get(expected.beside)
    # Of text the stream says whether it was what is expected.
    return 1.0 if isinstance(expected.target, Exactly) else float(str(expected.target))


_WHY = {
    "timeout": "it took longer than {timeout}",
    "exit": "its command ended with exit code {detail}",
    "cannot_start": "its command cannot be started",
    "status": "it was answered with status {detail}",
    "not_json": "what it answered is not one JSON object",
    "too_large": "its answer is larger than 1 MB",
    "missing_field": "its answer has no field {detail}",
    "not_a_number": "its field {detail} is not a number below 9e12",
    "not_one_row": "its result has {detail} rows, not one",
    "query": "its query failed",
    "no_login": "it cannot log in",
    "no_secret": "{detail} is not set",
    "connection": "no connection",
    "refused_redirect": "it was redirected, which is refused",
    "request": "its request cannot be made",
    "unknown_name": "what {detail} stands for is not known",
    "interrupted": "it was interrupted",
    "not_done": "it was not done",
}


def why(failed: str, check: object = None) -> str:
    """Why there is no answer, in words."""
    word, _, detail = failed.partition(" ")
    timeout_s = getattr(check, "timeout_s", None)
    timeout = "its timeout" if timeout_s is None else f"{timeout_s:g}s"
    return _WHY.get(word, "it failed").format(detail=detail, timeout=timeout) if failed else "it said nothing of it"


def objective_text(check: Check, expected: Expected, tenant: str) -> str:
    """An expectation as an objective: `chain_violations{tenant=A} == 0`."""
    labels = f"{{tenant={tenant}}}" if tenant else ""
    return f"{check.sli_name(expected.field)}{labels} {expected.shown}"


def objective_texts(checks: Iterable[Check]) -> list[str]:
    """All that is expected, as objectives."""
    return [
        objective_text(check, each, tenant) for check in checks for each in check.expected for tenant in check.tenants
    ]


@dataclass(slots=True)
class Judged:
    """An expectation for a tenant: the finding that counts, and how many answers left it open."""

    counts: Found | None = None
    open: int = 0
    first_open: str = ""
    answers: int = 0


@dataclass(slots=True)
class Expectations:
    """What is expected of all checks, by the places of check and expectation, and tenant."""

    scenario: Scenario
    judged: dict[tuple[int, int, str], Judged] = field(default_factory=dict)

    def observe(self, outcomes: Outcomes) -> None:
        """Process the answers of a block: the last one counts, or the worst of those at an interval."""
        for place, tenant, answer in outcomes.fresh:
            check = self.scenario.checks[place]
            for number, expected in enumerate(check.expected):
                self._add(
                    self.judged.setdefault((place, number, tenant), Judged()), check, found_in(check, expected, answer)
                )

    def _add(self, judged: Judged, check: Check, found: Found) -> None:
        judged.answers += found.value is not None
        if found.status is Status.INCONCLUSIVE:
            judged.open += 1
            judged.first_open = judged.first_open or found.detail
        worse = judged.counts is None or found.badness > judged.counts.badness
        if check.when is not When.EVERY or worse:
            judged.counts = found
