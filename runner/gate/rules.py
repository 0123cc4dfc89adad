"""Evaluation of rules, with everything they checked."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from soak.runner.gate.holdings import missing_documents, unresolved
from soak.runner.gate.reviewed import accepted_by, not_reviewed
from soak.runner.gate.runs import Run, find_runs
from soak.runner.gate.test_results import read_junit
from soak.runner.junit import Case
from soak.schemas.errors import EvidenceError
from soak.schemas.evidence.decision import RuleCheck, RuleResult
from soak.schemas.evidence.verdict import ObjectiveResult, Status, Verdict
from soak.schemas.language.gate import Bound, Evidence, RunsRule, TestsRule, slis_of_every_system
from soak.schemas.stream.identity import target_now
from soak.schemas.units import show_duration

_MOST_NAMED = 5
_CLOCKS_APART_S = 60.0


def result(rule: str, detail: str, checks: Sequence[RuleCheck]) -> RuleResult:
    """A rule holds if it has no problem as a whole, nor with anything it checked."""
    return RuleResult(rule, not detail and all(check.ok for check in checks), detail, list(checks))


# Test results.


def check_tests(rule: TestsRule, root: Path, evidence: Evidence, now: datetime) -> RuleResult:
    """JUnit results: every file readable and recent, every case passed, enough cases, and the required ones."""
    paths = sorted(path for path in root.glob(rule.files) if path.is_file())
    if not paths:
        return result(rule.name, f"no file {rule.files}", [])
    cases: list[Case] = []
    checks = []
    for path in paths:
        problem, found = _tests_of(path, rule, evidence, now)
        cases += found
        checks.append(RuleCheck(path.relative_to(root).as_posix(), not problem, problem or f"{len(found)} passed"))
    passed = [case for case in cases if case.status == "passed"]
    missing = [pattern for pattern in rule.cases if not any(fnmatchcase(case.full_name, pattern) for case in passed)]
    detail = ""
    if missing:
        detail = f"no passed test case {', '.join(missing)}"
    elif len(passed) < rule.at_least:
        detail = f"{len(passed)} test cases passed, {rule.at_least} are required"
    return result(rule.name, detail, checks)


def _tests_of(path: Path, rule: TestsRule, evidence: Evidence, now: datetime) -> tuple[str, list[Case]]:
    """Problems of a result file, and its cases selected by the rule."""
    try:
        found = read_junit(path)
        age_s = now.timestamp() - path.stat().st_mtime
    except EvidenceError as error:
        return str(error), []
    if rule.cases:
        found = [case for case in found if any(fnmatchcase(case.full_name, pattern) for pattern in rule.cases)]
    bad = [case for case in found if case.status == "failed" or (case.status == "skipped" and not rule.skipped)]
    if bad:
        named = ", ".join(f"{case.full_name} {case.status}" for case in bad[:_MOST_NAMED])
        more = f" and {len(bad) - _MOST_NAMED} more" if len(bad) > _MOST_NAMED else ""
        return f"{named}{more}", found
    if evidence.max_age_s is not None and age_s < -_CLOCKS_APART_S:
        return "was written in the future, according to this machine's clock", found
    if evidence.max_age_s is not None and age_s > evidence.max_age_s:
        return f"is {show_duration(round(age_s))} old ({show_duration(evidence.max_age_s)} allowed)", found
    return "", found


# Runs.


def check_runs(rule: RunsRule, root: Path, now: datetime) -> tuple[RuleResult, list[Run]]:
    """Run directories: requirements of each, and their number; also returns the runs checked."""
    found = find_runs(root, rule.where)
    looked_at = _chosen(rule, found)
    judged = list(_judged(rule, looked_at, now))
    checks = [RuleCheck(run.name, not problem, problem or _words(rule, run)) for run, problem, _ in judged]
    good = {run.scenario for run, check in zip(looked_at, checks, strict=True) if check.ok}
    wanted = list(rule.scenarios) or sorted({run.scenario for run in looked_at if run.scenario})
    least = rule.at_least or (len(wanted) if rule.scenarios else 1)
    missing = [name for name in wanted if name not in good]
    detail = ""
    if not looked_at:
        detail = f"no run in {rule.where}" + (f" of {', '.join(rule.scenarios)}" if rule.scenarios else "")
    elif len(good) < least:
        unreviewed = Counter(run.scenario for run, _, only_reviews in judged if only_reviews)
        detail = _too_few(missing, unreviewed, f"{len(good)} of {least} scenarios")
    if rule.at_least is not None and not detail:
        # Enough scenarios hold: further runs that do not are shown, but do not count.
        return RuleResult(rule.name, True, "", checks), looked_at
    return result(rule.name, detail, checks), looked_at


def _too_few(missing: list[str], unreviewed: Mapping[str, int], counted: str) -> str:
    """Which scenarios no run stands for; unreviewed: how many runs of each lack nothing but reviews."""
    gone = [name for name in missing if name not in unreviewed]
    words = [f"{', '.join(gone)} missing"] if gone else []
    for name in sorted({*missing} & {*unreviewed}):
        count = unreviewed[name]
        words += [f"{count} run{'s' * (count > 1)} of {name}, none with the reviews asked for"]
    return "; ".join(words) if len(missing) == 1 and not gone else f"{counted}{': ' * bool(words)}{'; '.join(words)}"


def _chosen(rule: RunsRule, found: list[Run]) -> list[Run]:
    # A run whose manifest cannot be read may be of any scenario: it is not skipped.
    chosen = [run for run in found if not rule.scenarios or not run.scenario or run.scenario in rule.scenarios]
    if not rule.newest:
        return chosen
    newest: dict[str, Run] = {}
    for run in sorted(chosen, key=lambda run: run.manifest.started_at if run.manifest else ""):
        newest[run.scenario or run.name] = run
    return [run for run in chosen if run in newest.values()]


def _judged(rule: RunsRule, runs: list[Run], now: datetime) -> Iterator[tuple[Run, str, bool]]:
    """Each run with what is wrong with it, and whether that is only that reviews are missing."""
    for run in runs:
        problems = list(_problems(rule, run))
        unreviewed = list(not_reviewed(rule.reviewed, run.directory, now)) if rule.reviewed else []
        yield run, "; ".join([*problems, *unreviewed]), bool(unreviewed) and not problems


def _words(rule: RunsRule, run: Run) -> str:
    assert run.verdict
    reviewed = f"; accepted by {accepted_by(run.directory)}" if rule.reviewed else ""
    return f"{run.scenario or run.name}: {run.verdict.headline}{reviewed}"


def _problems(rule: RunsRule, run: Run) -> Iterator[str]:
    verdict, manifest = run.verdict, run.manifest
    if verdict is None or manifest is None:
        yield from run.problems
        return
    named = run.scenario or "the run"
    if verdict.verdict not in rule.verdicts:
        why = f": {verdict.reasons[0]}" if verdict.reasons else ""
        yield f"{named} is {verdict.verdict.value}{why}"
    if rule.target and target_now(verdict.target) != target_now(rule.target):
        yield f"{named} ran against {verdict.target}, not {rule.target}"
    if rule.least_s is not None and min(verdict.ended_s, verdict.duration_s) < rule.least_s:
        lasted = show_duration(min(verdict.ended_s, verdict.duration_s))
        yield f"{named} lasted {lasted} ({show_duration(rule.least_s)} at least)"
    if rule.fastest is not None and manifest.speed > rule.fastest:
        yield f"{named} ran at speed {manifest.speed:g} ({rule.fastest:g} at most)"
    if not rule.warnings and verdict.warned:
        yield f"{named} has warnings: {verdict.warned[0]}"
    if not rule.thin and verdict.thin:
        yield f"{named} is on thin evidence: {_first_of(verdict)}"
    for bound in rule.bounds:
        yield from _broken(bound, verdict)
    yield from missing_documents(rule.documents, run.directory)
    for name in rule.alerts:
        yield from unresolved(name, verdict, manifest)


def _first_of(verdict: Verdict) -> str:
    """What is said of the first objective that holds on thin evidence, and how many more there are."""
    first, *more = verdict.thin
    told = next((each for each in verdict.caveats if each.startswith(f"{first.objective} ")), first.objective)
    return f"{told}{f' (and {len(more)} more)' if more else ''}"


def _broken(bound: Bound, verdict: Verdict) -> Iterator[str]:
    value = verdict.slis.get(bound.sli)
    if bound.sli not in verdict.slis and bound.sli not in slis_of_every_system():
        yield f"{bound.text}: the scenario names no {bound.sli} (add it under slos: only then is it computed)"
    elif lacking := next((each.detail for each in verdict.objectives if _lacks(each, bound)), ""):
        yield f"{bound.text}: {lacking}"
    elif value is None:
        yield f"{bound.text}: nothing was observed"
    elif not bound.op.holds(value, bound.target):
        yield f"{bound.text}: {bound.unit.show_beside(value, bound.target)} observed"


def _lacks(objective: ObjectiveResult, bound: Bound) -> bool:
    return objective.sli == bound.sli and objective.status is Status.NOT_APPLICABLE
