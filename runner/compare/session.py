"""One `soak compare` without --parity, from two runs to files and a few lines."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

from runner.compare.baseline import read_baseline
from runner.compare.changes import compare, differences
from runner.console import remark
from runner.evidence.directory import RunDirectory
from runner.evidence.record import to_json
from schemas.changes import Changes, Direction
from schemas.expression import Unit

CHANGES = "changes.json"


def compare_with_base(
    base_path: Path, run_path: Path, out: Path | None, *, alpha: float, least: float, objectives: Sequence[str]
) -> tuple[Changes, Path]:
    """Compare a run with a base and write what comes of it; returns it and where. Raises SoakError."""
    base, run = read_baseline(base_path), read_baseline(run_path)
    changes = compare(base, run, alpha=alpha, least=least, objectives=objectives)
    if different := differences(base, run):
        remark(f"the runs are not of the same kind, and changes may be due to that: {', '.join(different)}")
    directory = RunDirectory.create(out or _free(Path(f"compare-{run.scenario}")), run.scenario)
    from reports.changes import render_changes

    directory.write(CHANGES, to_json(changes))
    for name, content in render_changes(changes).items():
        directory.write(name, content)
    return changes, directory.path


def _free(path: Path) -> Path:
    """The path, or the first with a number behind it that nothing has yet."""
    paths = (path.with_name(f"{path.name}-{number}") if number > 1 else path for number in count(1))
    return next(each for each in paths if not each.exists())


def summary_lines(changes: Changes, directory: Path) -> str:
    """The comparison for a terminal: what became worse or better."""
    lines = [f"{'REGRESSED' if changes.regressed else 'NOT REGRESSED'}  {changes.run.scenario}"]
    lines += [f"  {reason}" for reason in changes.reasons]
    for each in changes.changes:
        if each.direction is Direction.BETTER:
            lines.append(f"  {each.sli} is better: {each.detail}")
    for objective in changes.objectives:
        unit = Unit(changes.run.slis[objective.objective.split()[0]].unit)
        value = "nothing observed" if objective.value is None else unit.show(objective.value)
        lines.append(f"  {objective.status.value:12} {objective.objective:40} {value:>16}")
    compared = sum(each.p is not None for each in changes.changes)
    return "\n".join([*lines, f"  {compared} SLIs tested", f"  report: {directory / 'changes.md'}"])
