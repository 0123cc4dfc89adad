"""changes.md, its plots, and the lines for a terminal: how a run compares with a base."""

import matplotlib as mpl

from soak.reports.plots import changes as plot
from soak.reports.plots import tasks as task_plot
from soak.reports.plots.canvas import STYLE
from soak.reports.summary import TEMPLATES, make_environment
from soak.schemas.evidence.changes import Changes, Differences, Direction, TimeChange
from soak.schemas.language.expression import Unit
from soak.schemas.language.registry import language_of
from soak.schemas.units import show_gain

TEMPLATE = "changes.md.j2"
PLOT = "changes.svg"
TASK_PLOT = "tasks.svg"


def render_changes(changes: Changes, differences: Differences | None = None) -> dict[str, bytes]:
    """The readable files of the comparison by name; `differences`: of the tasks, if they were paired."""
    text = (TEMPLATES / TEMPLATE).read_text(encoding="utf-8")
    environment = make_environment()
    environment.filters.update(signed=show_signed, gain=show_gain, one_by_one=one_by_one)
    markdown = environment.from_string(text).render(
        changes=changes, headline=headline(changes), plot=PLOT, task_plot=TASK_PLOT
    )
    with mpl.rc_context(STYLE):
        drawn = {PLOT: plot.plot(changes)}
        if changes.tasks is not None and differences is not None:
            drawn[TASK_PLOT] = task_plot.plot(changes.tasks, differences)
    return {"changes.md": markdown.encode(), **drawn}


def show_signed(value: float | None, unit: str = Unit.DURATION) -> str:
    """A difference in base units, with its sign."""
    return "–" if value is None else Unit(unit).show_difference(value)


def summary_lines(changes: Changes) -> str:
    """The comparison for a terminal: what became worse or better."""
    lines = [f"{headline(changes)}  {changes.run.scenario}"]
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
    dependent = sum(each.p is None and each.effective is not None for each in changes.changes)
    untested = f", {dependent} UNTESTED: their parts depend on each other" if dependent else ""
    return "\n".join([*lines, f"  {compared} SLIs tested{paired}{untested}", *_task_lines(changes)])


def one_by_one(changes: Changes) -> str:
    """`task by task`, or whatever the system of a run works on."""
    work = language_of(changes.run.system).work if changes.run.system else None
    unit = "task" if work is None else work.unit
    return f"{unit} by {unit}"


def headline(changes: Changes) -> str:
    """The answer in words; that nothing became worse says nothing of runs that are not like for like."""
    if changes.regressed:
        return "REGRESSED"
    if not changes.compared:
        return "NOTHING COMPARED"
    return "NOT COMPARABLE" if changes.different else "NOT REGRESSED"


def _task_lines(changes: Changes) -> list[str]:
    """The tasks of both runs one by one, or why they were not compared so."""
    tasks = changes.tasks
    if tasks is None:
        return [f"  not compared {one_by_one(changes)}: {changes.unpaired}"]
    lines = [f"  {tasks.tasks:,} tasks in both, compared one by one:"]
    for name, time in (("latency", tasks.latency), ("wait", tasks.wait)):
        if time is not None:
            lines.append(f"    {name:8} {show_time_change(time)}")
    return [
        *lines,
        f"    attempts {tasks.more_attempts:,} with more, {tasks.fewer_attempts:,} with fewer",
        f"    DONE     {tasks.done_in_base_only:,} in the base only, {tasks.done_in_run_only:,} in the run only "
        f"(p = {tasks.p:.2g})",
    ]


def show_time_change(time: TimeChange) -> str:
    """A time of the same tasks in both runs, in a line."""
    show = Unit.DURATION.show_difference
    between = "" if time.low is None or time.high is None else f" ({show(time.low)} to {show(time.high)})"
    counts = f"{time.slower:,} slower, {time.faster:,} faster, {time.unchanged:,} unchanged"
    gain = "" if time.gain is None else f"; variance reduction x{show_gain(time.gain)}"
    return f"{show(time.difference)} on average{between}: {counts}{gain}"
