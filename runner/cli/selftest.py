"""`soak selftest`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from soak.runner.cli.options import Positive, json_option
from soak.runner.console import remark, tell

if TYPE_CHECKING:
    from soak.reports.pages.selftest import Tried
    from soak.runner.selftest.findings import Finding
    from soak.runner.selftest.matrix import TrialResult
    from soak.runner.selftest.truths import CaseResult

AS_MEANT, NOT_AS_MEANT = 0, 3
PAGE = "selftest.html"
_NONE = "none"


@click.command("selftest")
@click.option(
    "--target", default="orchestrator", show_default=True, metavar="NAME", help="Target with planted defects."
)
@click.option(
    "--defect",
    "defects",
    multiple=True,
    metavar="NAME",
    help="Test this planted defect only; none: clean runs only. May be repeated.",
)
@click.option(
    "--clean", type=click.IntRange(min=0), default=1, show_default=True, help="Number of rounds of clean runs."
)
@click.option(
    "--speed", type=Positive(100_000), default=60.0, show_default=True, help="Speed-up factor, as in `soak run`."
)
@click.option(
    "--scenarios", type=click.Path(path_type=Path), metavar="DIR", help="[default: those that come with soak]"
)
@click.option(
    "--foreign",
    is_flag=True,
    help="Soak task systems of others, of which it is known what goes wrong with which settings; --defect names truths.",
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), default=Path("selftest"), show_default=True, help="Evidence."
)
@json_option
def command(
    target: str,
    defects: tuple[str, ...],
    clean: int,
    speed: float,
    scenarios: Path | None,
    foreign: bool,
    out: Path,
    as_json: bool,
) -> int:
    """Soak a target with planted defects, and a sound one, and show which check found which defect.

    Exit codes: 0 every defect was found by the check meant for it and clean runs raised nothing, 3 otherwise.

    \b
    Example:
      soak selftest --defect backoff_ignored --clean 1
      soak selftest --foreign --defect t1 --defect t9
    """
    from soak.runner.linux import refuse_elsewhere

    refuse_elsewhere("soak selftest")
    if foreign:
        return _foreign(defects, scenarios, out, as_json=as_json)
    return _planted(target, defects, clean, speed, scenarios, out, as_json=as_json)


def _planted(
    target: str, defects: tuple[str, ...], clean: int, speed: float, scenarios: Path | None, out: Path, *, as_json: bool
) -> int:
    """Run a target with planted defects, and a sound one."""
    import json

    from soak.runner.selftest.matrix import Bench, run_trials
    from soak.runner.selftest.told import tried_trial
    from soak.runner.shipped import SELFTEST
    from soak.runner.targets.room import trials_of
    from soak.schemas.errors import UsageError
    from soak.schemas.language.shape import did_you_mean

    of_target = trials_of(target)
    if unknown := set(defects).difference(known := [_NONE, *(trial.name for trial in of_target.planted)]):
        raise UsageError(f"no defect {min(unknown)!r} ({did_you_mean(min(unknown), known)})")
    scenarios = scenarios or SELFTEST
    if not scenarios.is_dir():
        raise UsageError(
            f"{scenarios}: is not a directory (give the directory with the self-test scenarios with --scenarios)"
        )
    trials = [trial for trial in of_target.planted if not defects or trial.name in defects]
    trials += list(of_target.clean) * clean

    def line(row: "TrialResult") -> None:
        found = ", ".join(f"{each.check} {each.status}" for each in row.found) or "nothing found"
        remark(f"  {row.trial.name}: {row.outcome.value}, {found}")

    rows = run_trials(trials, Bench(target, of_target.variable, scenarios, speed), out, line)
    page = _write_page(
        out, [tried_trial(row) for row in rows], target, _command("--defect", defects, "--target", target)
    )
    tell(json.dumps([_data(row) for row in rows], indent=2) if as_json else "\n".join([*_table(rows), page]))
    return AS_MEANT if all(row.as_meant for row in rows) else NOT_AS_MEANT


def _foreign(names: tuple[str, ...], folder: Path | None, out: Path, *, as_json: bool) -> int:
    """Run truths and their controls."""
    import json

    from soak.runner.selftest.told import tried_case
    from soak.runner.selftest.truths import CaseResult, run_cases, truths
    from soak.runner.shipped import TRUTHS

    def line(result: CaseResult) -> None:
        remark(f"  {result.case.name} {result.case.side}: {_result(result)}")

    results = run_cases(truths(folder or TRUTHS, names), out, line)
    tried = [tried_case(each) for each in results]
    page = _write_page(out, tried, "task systems of others", _command("--defect", names, "--foreign"))
    lines = [*_case_table(results), page]
    tell(json.dumps([_case_data(each) for each in results], indent=2) if as_json else "\n".join(lines))
    return AS_MEANT if all(each.as_meant for each in results) else NOT_AS_MEANT


def _command(option: str, names: tuple[str, ...], *words: str) -> str:
    import shlex

    return shlex.join(["soak", "selftest", *words, *(word for name in names for word in (option, name))])


def _write_page(out: Path, tried: "list[Tried]", target: str, command: str) -> str:
    """Write the page beside the evidence; returns where, in words."""
    from soak.reports.pages.selftest import selftest_page
    from soak.runner.evidence.directory import RunDirectory

    RunDirectory(out).write(PAGE, selftest_page(tried, target, command))
    return f"  report: {out / PAGE}"


def _result(result: "CaseResult") -> str:
    if result.outcome is None:
        return f"not run: {result.why}"
    return f"{result.outcome.value}, {', '.join(result.found) or 'nothing found'}"


def _case_data(result: "CaseResult") -> dict[str, object]:
    case = result.case
    return {
        "truth": case.name,
        "side": case.side.value,
        "scenario": case.path.stem,
        "target": case.target,
        "options": dict(case.options),
        "expected": [each.value for each in case.expect],
        "verdict": result.outcome and result.outcome.value,
        "as_meant": result.as_meant,
        "found": list(result.found),
        "tries": result.tries,
        "why": result.why,
    }


def _case_table(results: "list[CaseResult]") -> list[str]:
    rows = [("truth", "", "target", "verdict", "as meant", "found by")]
    for each in results:
        case, verdict = each.case, each.outcome.value if each.outcome else "not run"
        tries = f" (try {each.tries})" if each.tries > 1 else ""
        found = ", ".join(each.found) or each.why or "nothing"
        rows.append(
            (case.name, case.side.value, case.target, f"{verdict}{tries}", "yes" if each.as_meant else "NO", found)
        )
    widths = [max(len(row[place]) for row in rows) for place in range(5)]
    return ["  ".join([*(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)), row[5]]) for row in rows]


def _data(row: "TrialResult") -> dict[str, object]:
    found = [{"check": each.check, "status": each.status, "at_s": each.at_s} for each in row.found]
    return {
        "defect": row.trial.defect,
        "scenario": row.trial.scenario,
        "verdict": row.outcome.value,
        "as_meant": row.as_meant,
        "found_after_s": row.found_after_s,
        "found": found,
    }


def _table(rows: "list[TrialResult]") -> list[str]:
    from soak.schemas.units import show_duration

    width = max(len(row.trial.name) for row in rows)
    lines = [f"{'defect':{width}}  {'verdict':12}  {'as meant':8}  {'after':9}  found by"]
    for row in rows:
        after = "" if row.found_after_s is None else show_duration(round(row.found_after_s))
        found = ", ".join(map(_described, row.found)) or "nothing"
        lines.append(
            f"{row.trial.name:{width}}  {row.outcome.value:12}  {'yes' if row.as_meant else 'NO':8}  {after:9}  {found}"
        )
    return [
        *lines,
        "after: scenario time until the expected check detected the defect (the end, for checks made at the end)",
    ]


def _described(found: "Finding") -> str:
    from soak.schemas.units import show_duration

    return found.check if found.at_s is None else f"{found.check} (since {show_duration(round(found.at_s))})"
