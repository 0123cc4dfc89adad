"""One `soak gate` from file to decision."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from soak.runner.gate.rules import check_runs, check_tests, result
from soak.runner.gate.runs import Run, doubts
from soak.schemas.errors import UsageError
from soak.schemas.evidence.decision import SCHEMA_VERSION, Decision, RuleCheck, RuleResult
from soak.schemas.language.gate import Gate, TestsRule

_COMMIT = re.compile("[0-9a-f]{7,64}")


def decide_gate(gate: Gate, root: Path, commit: str | None = None) -> Decision:
    """Decide from the evidence below `root`; `commit`: required commit of all runs. Raises UsageError."""
    if commit is not None and not _COMMIT.fullmatch(commit):
        raise UsageError(f"--commit {commit!r} is not a commit hash (write at least seven digits of it)")
    now = datetime.now(UTC)
    rules, runs = [], dict[str, Run]()
    for rule in gate.rules:
        if isinstance(rule, TestsRule):
            rules.append(check_tests(rule, root, gate.evidence, now))
        else:
            held, looked_at = check_runs(rule, root, now)
            rules.append(held)
            runs.update((run.name, run) for run in looked_at)
    evidence = [_believed(gate, list(runs.values()), now)] if runs else []
    if (gate.evidence.one_commit or commit) and runs:
        evidence.append(_one_commit(list(runs.values()), commit))
    commits = set(_commits(runs.values()))
    return Decision(
        schema_version=SCHEMA_VERSION,
        gate=gate.name,
        title=gate.title,
        passed=all(each.ok for each in (*rules, *evidence)),
        decided_at=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        commit=commits.pop() if len(commits) == 1 else None,
        rules=rules,
        evidence=evidence,
    )


def _believed(gate: Gate, runs: list[Run], now: datetime) -> RuleResult:
    checks = []
    for run in runs:
        found = "; ".join(doubts(run, gate.evidence, now))
        agreed = "intact, and its verdict recomputed" if gate.evidence.recompute else "intact"
        checks.append(RuleCheck(run.name, not found, found or agreed))
    return result("evidence", "", checks)


def _one_commit(runs: list[Run], commit: str | None) -> RuleResult:
    commits = list(_commits(runs))
    detail = ""
    if commit is None and len(set(commits)) > 1:
        detail = f"the runs were made from {len(set(commits))} commits"
    wanted = commit or (max(set(commits), key=commits.count) if commits else "")
    checks = []
    for run in runs:
        sha = run.manifest.git.sha if run.manifest and run.manifest.git else ""
        same = bool(sha) and sha.startswith(wanted)
        checks.append(RuleCheck(run.name, same, _commit_words(sha, wanted, asked=commit is not None)))
    return result("one commit", detail, checks)


def _commit_words(sha: str, wanted: str, *, asked: bool) -> str:
    """The problem with the commit of a run; `asked`: by --commit."""
    if sha:
        return sha[:12] if sha.startswith(wanted) else f"was made from {sha[:12]}, not from {wanted[:12]}"
    instead = "leave --commit out" if asked else "write evidence: {one_commit: false}"
    return f"the commit is unknown: the run was made outside a git work tree (run it in one, or {instead})"


def _commits(runs: Iterable[Run]) -> Iterator[str]:
    for run in runs:
        if run.manifest and run.manifest.git:
            yield run.manifest.git.sha
