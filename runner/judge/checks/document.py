"""What checks answered and the teardown came to, as evidence and as tables of the report."""

from collections.abc import Iterator

from soak.runner.judge.checks.expected import why
from soak.runner.judge.checks.outcomes import Answer, Answers
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.checks import SCHEMA_VERSION, CheckAnswer, CheckAnswers, ChecksDocument, TeardownStep
from soak.schemas.evidence.verdict import Section
from soak.schemas.language.check import Check
from soak.schemas.units import show_count, show_duration

_MOST_ROWS = 100


def checks_document(judge: Judge) -> ChecksDocument | None:
    """What checks.json holds of a real run; None for a scenario without checks and teardown."""
    scenario = judge.scenario
    if not (scenario.checks or scenario.teardown):
        return None
    answers, done = judge.checks.outcomes.answers, judge.checks.outcomes.teardown
    checks = [
        _answers(check, tenant, answers.get((place, tenant), Answers()))
        for place, check in enumerate(scenario.checks)
        for tenant in check.tenants
    ]
    steps = []
    for place, step in enumerate(scenario.teardown):
        for tenant in step.tenants:
            found = done.get((place, tenant))
            failed = found.failed if found else "not_done"
            words = why(failed, step) if failed else ""
            steps.append(
                TeardownStep(
                    step.name, tenant, found.t_s if found else None, found.took_s if found else None, failed, words
                )
            )
    return ChecksDocument(SCHEMA_VERSION, scenario.name, checks, steps)


def _answers(check: Check, tenant: str, answers: Answers) -> CheckAnswers:
    kept = [_answer(check, each) for each in answers.kept]
    return CheckAnswers(
        check.name, tenant, check.when.value, answers.count, dict(sorted(answers.failures.items())), kept
    )


def _answer(check: Check, answer: Answer) -> CheckAnswer:
    words = why(answer.failed, check) if answer.failed else ""
    return CheckAnswer(answer.t_s, answer.took_s, answer.values, answer.texts, answer.failed, words)


def sections(judge: Judge) -> Iterator[Section]:
    """The tables of the report."""
    document = checks_document(judge)
    if document is None:
        return
    if document.checks:
        columns = ["check", "tenant", "made", "last at", "took", "answered"]
        rows = [_row(each, check) for each, check in _with_checks(judge, document)]
        yield Section("Checks", columns, rows[:_MOST_ROWS], _rest(rows))
    if document.teardown:
        rows = [
            [
                each.step,
                each.tenant,
                "–" if each.t_s is None else show_duration(each.t_s),
                "–" if each.took_s is None else show_duration(each.took_s),
                f"failed: {each.why}" if each.failed else "done",
            ]
            for each in document.teardown
        ]
        yield Section("Teardown", ["step", "tenant", "at", "took", "result"], rows[:_MOST_ROWS], _rest(rows))


def _with_checks(judge: Judge, document: ChecksDocument) -> Iterator[tuple[CheckAnswers, Check]]:
    checks = {check.name: check for check in judge.scenario.checks}
    return ((each, checks[each.check]) for each in document.checks)


def _row(answers: CheckAnswers, check: Check) -> list[str]:
    if not answers.kept:
        return [answers.check, answers.tenant, "0", "–", "–", "was not made"]
    last, times = answers.kept[-1], sum(answers.unanswered.values())
    shown = [
        f"{name} {last.texts.get(name) or (_expected(check, name) if value else '') or show_count(value)}"
        for name, value in last.values.items()
    ]
    said = [*shown, *([f"no answer: {last.why}"] if last.failed else [])]
    before = f" ({times} times without an answer)" if times and answers.made > 1 else ""
    return [
        answers.check,
        answers.tenant,
        f"{answers.made:,}",
        show_duration(last.t_s),
        show_duration(last.took_s),
        f"{', '.join(said)}{before}",
    ]


def _expected(check: Check, name: str) -> str:
    text = check.text_of(name)
    return "" if text is None else str(text).lower() if isinstance(text, bool) else f'"{text}"'


def _rest(rows: list[list[str]]) -> str:
    return f"{len(rows) - _MOST_ROWS:,} more are in checks.json." if len(rows) > _MOST_ROWS else ""
