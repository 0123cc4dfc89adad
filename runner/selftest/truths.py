"""What is known of task systems, as scenarios: each says under `x-truth` what has to come out, and a control what else."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from soak.runner.evidence.directory import VERDICT
from soak.runner.selftest.findings import findings
from soak.schemas.errors import UsageError, quoted
from soak.schemas.evidence.verdict import Outcome, Status, Verdict
from soak.schemas.language.document import read_document
from soak.schemas.language.shape import did_you_mean
from soak.schemas.target.environments import interpreter

KEY = "x-truth"
_RAN = {outcome.exit_code for outcome in Outcome}
_LAST = 300


class Side(StrEnum):
    """What is run: the system that has the truth, or one that does not."""

    TRUTH = "truth"
    CONTROL = "control"


class Case(Struct, frozen=True):
    """A run and what has to come out of it.

    name: of the truth, the first word of its file. indicator: that breaks, cause: a word of its explanation; None: any. tries: at
    least one run of this number has to come out like that.
    """

    name: str
    path: Path
    side: Side
    target: str
    options: Mapping[str, str]
    settings: tuple[str, ...]
    expect: tuple[Outcome, ...]
    indicator: str | None = None
    cause: str | None = None
    tries: int = 1


class CaseResult(Struct, frozen=True):
    """What came out. outcome: None where it could not be run, and `why` not."""

    case: Case
    outcome: Outcome | None
    as_meant: bool
    found: tuple[str, ...] = ()
    why: str = ""
    tries: int = 1


def truths(folder: Path, wanted: Sequence[str] = ()) -> list[Case]:
    """The cases of all truths in a folder, or of those wanted by name. Raises UsageError for a name that is not there."""
    cases = [case for path in sorted(folder.glob("*.yaml"), key=_order) for case in _cases(path)]
    known = list(dict.fromkeys(case.name for case in cases))
    if unknown := [each for each in wanted if each not in known]:
        raise UsageError(f"no truth {quoted(unknown[0])} ({did_you_mean(unknown[0], known)})")
    return [case for case in cases if not wanted or case.name in wanted]


def _order(path: Path) -> tuple[str, int, str]:
    """t2 comes before t11."""
    name = path.stem.split("-")[0]
    letters = name.rstrip("0123456789")
    return letters, int(name[len(letters) :] or 0), path.stem


def _cases(path: Path) -> Iterator[Case]:
    data: Any = read_document(path, "scenario").data
    says = data.get(KEY)
    if not isinstance(says, dict):
        raise UsageError(f"{path}: has no {KEY}: (say which target and options it is for, and what has to come out)")
    yield _case(path, Side.TRUTH, says)
    control = says.get("control")
    if control:
        yield _case(path, Side.CONTROL, {"target": says["target"], "expect": "PASS", **control})


def _case(path: Path, side: Side, says: Mapping[str, Any]) -> Case:
    expect = says["expect"]
    return Case(
        path.stem.split("-")[0],
        path,
        side,
        says["target"],
        _options(says),
        tuple(f"{key}={_text(value)}" for key, value in says.get("set", {}).items()),
        tuple(Outcome(each) for each in (expect if isinstance(expect, list) else [expect])),
        says.get("indicator"),
        says.get("cause"),
        says.get("tries", 1),
    )


def _options(says: Mapping[str, Any]) -> dict[str, str]:
    """Options of the target; `env` is the environment whose interpreter it gets, if not the target's own."""
    own = {"python": interpreter(says["env"])} if "env" in says else {}
    return {**own, **{name: _text(value) for name, value in says.get("options", {}).items()}}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def run_cases(cases: Sequence[Case], out: Path, tell: Callable[[CaseResult], None]) -> list[CaseResult]:
    """Run each into a directory under `out`, and again until it comes out as meant or was tried often enough."""
    results = []
    for case in cases:
        result = _run(case, out / f"{case.path.stem}-{case.side}")
        while result.outcome is not None and not result.as_meant and result.tries < case.tries:
            number = result.tries + 1
            again = _run(case, out / f"{case.path.stem}-{case.side}-{number}")
            result = replace(again, tries=number)
        tell(result)
        results.append(result)
    return results


def _run(case: Case, out: Path) -> CaseResult:
    options = [word for name, value in case.options.items() for word in ("--option", f"{name}={value}")]
    settings = [word for each in case.settings for word in ("--set", each)]
    command = ["run", str(case.path), "--target", case.target, *options, *settings, "--out", str(out)]
    done = subprocess.run([sys.executable, "-P", "-m", "soak", *command], capture_output=True, text=True, check=False)
    if done.returncode not in _RAN or not (out / VERDICT).exists():
        return CaseResult(case, None, as_meant=False, why=done.stderr.strip()[-_LAST:])
    verdict = msgspec.json.decode((out / VERDICT).read_bytes(), type=Verdict)
    return judged(case, verdict)


def judged(case: Case, verdict: Verdict) -> CaseResult:
    """Whether a verdict is what had to come out."""
    failed = [each.check for each in findings(verdict) if each.status in {Status.FAIL, "held"}]
    found = tuple(each.check for each in findings(verdict))
    by_indicator = case.indicator is None or any(case.indicator in check.split() for check in failed)
    by_cause = case.cause is None or any(case.cause in each for each in _causes(case, verdict))
    as_meant = verdict.verdict in case.expect and by_indicator and by_cause
    return CaseResult(case, verdict.verdict, as_meant, found)


def _causes(case: Case, verdict: Verdict) -> Iterator[str]:
    """What the explanation of the indicator names as causes; of faults, their type, too."""
    types = {fault.name: fault.type for fault in verdict.faults}
    for each in verdict.explanation:
        if case.indicator is None or case.indicator in each.subject.split():
            for cause in each.cases:
                yield cause.cause
                yield from (types.get(name, name) for name in cause.faults)
