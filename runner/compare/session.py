"""One `soak compare` without --parity, from two runs to files and a few lines."""

from collections.abc import Sequence
from pathlib import Path

from soak.runner.compare.baseline import read_side
from soak.runner.compare.changes import compare, differences
from soak.runner.compare.pairing import pair
from soak.runner.console import remark
from soak.runner.evidence.directory import RunDirectory, refuse_in_run
from soak.runner.evidence.record import to_json
from soak.schemas.evidence.changes import Changes, Direction, TimeChange
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_gain

CHANGES = "changes.json"


def compare_with_base(
    base_path: Path, run_path: Path, out: Path | None, *, alpha: float, least: float, objectives: Sequence[str]
) -> tuple[Changes, Path]:
    """Compare a run with a base and write what comes of it; returns it and where. Raises SoakError."""
    sides = read_side(base_path), read_side(run_path)
    pairing = pair(*sides)
    base, run = (side.baseline for side in sides)
    different = differences(*sides)
    changes = compare(base, run, alpha=alpha, least=least, objectives=objectives, pairing=pairing, different=different)
    if different:
        remark(f"the runs are not of the same kind, and changes may be due to that: {', '.join(different)}")
    directory = make_directory(out, run.scenario)
    from soak.reports.changes import render_changes

    directory.write(CHANGES, to_json(changes))
    for name, content in render_changes(changes, pairing.differences).items():
        directory.write(name, content)
    return changes, directory.path


def make_directory(out: Path | None, scenario: str) -> RunDirectory:
    """Where to write a comparison: `out`, or the first that nothing has yet. Raises UsageError or OutputError."""
    path = out or Path(f"compare-{scenario}")
    refuse_in_run(path)
    return RunDirectory.create(out, scenario) if out else RunDirectory.numbered(path)


def summary_lines(changes: Changes, directory: Path) -> str:
    """The comparison for a terminal: what became worse or better."""
    lines = [f"{'REGRESSED' if changes.regressed else 'NOT REGRESSED'}  {changes.run.scenario}"]
    lines += [f"  {reason}" for reason in changes.reasons]
    for each in changes.changes:
        if each.direction is Direction.BETTER:
            lines.append(f"  {each.sli} is better: {each.detail}")
    for objective in changes.objectives:
        unit = Unit(changes.run.slis[objective.sli].unit)
        value = "nothing observed" if objective.value is None else unit.show_beside(objective.value, objective.target)
        lines.append(f"  {objective.status.value:12} {objective.objective:40} {value:>16}")
    compared = sum(each.p is not None for each in changes.changes)
    paired = ", part by part of one plan" if changes.paired else ""
    return "\n".join(
        [*lines, f"  {compared} SLIs tested{paired}", *_task_lines(changes), f"  report: {directory / 'changes.md'}"]
    )


def _task_lines(changes: Changes) -> list[str]:
    """The tasks of both runs one by one, or why they were not compared so."""
    tasks = changes.tasks
    if tasks is None:
        return [f"  not compared task by task: {changes.unpaired}"]
    lines = [f"  {tasks.tasks:,} tasks of both, one by one:"]
    for name, time in (("latency", tasks.latency), ("wait", tasks.wait)):
        if time is not None:
            lines.append(f"    {name:8} {show_time_change(time)}")
    return [
        *lines,
        f"    attempts {tasks.more_attempts:,} with more, {tasks.fewer_attempts:,} with fewer",
        f"    DONE     {tasks.done_in_base_only:,} no longer, {tasks.done_in_run_only:,} only now (p = {tasks.p:.2g})",
    ]


def show_time_change(time: TimeChange) -> str:
    """A time of the same tasks in both runs, in a line."""
    show = Unit.DURATION.show_difference
    between = "" if time.low is None or time.high is None else f" ({show(time.low)} to {show(time.high)})"
    counts = f"{time.slower:,} slower, {time.faster:,} faster, {time.unchanged:,} unchanged"
    gain = "" if time.gain is None else f"; as good as {show_gain(time.gain)} unpaired replications"
    return f"{show(time.difference)} on average{between}: {counts}{gain}"
