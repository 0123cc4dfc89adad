"""Explanations of what is broken, as lines for a terminal."""

import textwrap
from collections.abc import Iterator, Sequence

from soak.schemas.evidence.explanation import Case, Cases, Explanation
from soak.schemas.evidence.verdict import Reason, Verdict
from soak.schemas.language.room import TaskWords
from soak.schemas.units import show_duration

_WIDTH = 116
_MOST_CAUSES = 5


def explanation_of(verdict: Verdict, reason: Reason) -> Explanation | None:
    """What explains a reason; None for one that needs no explanation or has none."""
    found = (
        each for each in verdict.explanation if (each.kind.value, each.subject) == (reason.kind.value, reason.subject)
    )
    return next(found, None)


def reasons_explained(verdict: Verdict, called: TaskWords | None = None) -> Iterator[tuple[str, list[str]]]:
    """Each reason, with the lines that explain it. called: what tasks are called, if each has one attempt."""
    shown: list[Explanation] = []
    for reason in verdict.typed_reasons:
        below: list[str] = []
        if explanation := explanation_of(verdict, reason):
            below = [*_wrapped(explanation.text), *_cases(explanation, shown, called)]
            shown.append(explanation)
        yield reason.text, below


def _cases(explanation: Explanation, shown: Sequence[Explanation], called: TaskWords | None) -> Iterator[str]:
    """The first cases, if they are not those of an explanation that is shown already."""
    same = [each.subject for each in shown if explanation.cases and each.cases == explanation.cases]
    if same:
        yield f"    the cases are those of {same[0]}"
        return
    for cases in explanation.cases[:_MOST_CAUSES]:
        yield from _wrapped(_of_cause(cases, called))
    if (more := len(explanation.cases) - _MOST_CAUSES) > 0:
        yield f"    {more} more causes are in the report"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False)


def _of_cause(cases: Cases, called: TaskWords | None) -> str:
    """The cases of one cause; what all of them have in common is said once."""
    if called:
        return f"{cases.cause}, {cases.count:,}: {'; '.join(_told(case, called) for case in cases.first)}"
    moves = {(case.before, case.after) for case in cases.first}
    common = next(iter(moves)) if len(moves) == 1 else None
    first = "; ".join(_case(case, moved=common is None) for case in cases.first)
    moved = _moved(*common) if common and f"{common[0]} to {common[1]}" != cases.cause else ""
    return f"{cases.cause}, {cases.count:,}{moved}: {first}"


def _told(case: Case, called: TaskWords) -> str:
    said = f" ({case.detail})" if case.detail else ""
    return f"{called.unit} {case.task} at {show_duration(case.t_s)}{said}"


def _case(case: Case, *, moved: bool) -> str:
    """A case in short: the report has all of it."""
    what = f"task {case.task} " if case.task else ""
    on = f" on {case.worker}" if case.worker else ""
    return f"{what}at {show_duration(case.t_s)}{on}{_moved(case.before, case.after) if moved else ''}"


def _moved(before: str, after: str) -> str:
    return f" ({before} to {after})" if before and after else ""
