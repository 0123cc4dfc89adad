"""The same tasks in two runs, one by one: how much longer they lasted, over all and over scenario time."""

from collections.abc import Iterator

import numpy as np

from soak.reports.changes import show_signed
from soak.reports.look.blocks import Part, Text
from soak.reports.look.charts import Chart, Form, Limit, Line
from soak.reports.look.figures import Drawing
from soak.reports.look.palette import Role
from soak.reports.look.plot import Axis, Bar, Plot
from soak.reports.look.table import AnyCell, Cell, Column, Table, Tone
from soak.schemas.evidence.changes import Differences, TaskChanges
from soak.schemas.stream.block import Floats
from soak.schemas.units import show_duration, show_gain, show_ratio

_BINS_PER_DECADE = 4
_SMALLEST_S = 1e-3


def sizes(differences: Differences) -> Iterator[Part]:
    """How many tasks took how much longer or shorter, on scales that are logarithmic on both sides of zero."""
    longer_s = differences.latency_s
    found = np.abs(longer_s[longer_s != 0])
    nearest = 10.0 ** _decade(float(found.min()) if len(found) else 1.0)
    decades = max(1, _decade(float(found.max()) if len(found) else 1.0) + 1 - _decade(nearest))
    unchanged = int((longer_s == 0).sum())
    bars = [Bar(-0.15, 0.15, [(Role.GREY, _height(unchanged))])]
    highest, ticks = unchanged, [(0.0, "0")]
    keys = [(f"unchanged: {unchanged:,}", Role.GREY)]
    steps = np.arange(decades * _BINS_PER_DECADE + 1) / _BINS_PER_DECADE
    for sign, role, word in ((-1, Role.GREEN, "faster"), (1, Role.BAD, "slower")):
        values = sign * longer_s[longer_s * sign > 0]
        counts, _ = np.histogram(np.maximum(values, nearest), nearest * 10**steps)
        highest = max(highest, int(counts.max()))
        keys.append((f"{word}: {len(values):,}", role))
        for place, count in enumerate(counts.tolist()):
            near, far = sign * (1 + steps[place]), sign * (1 + steps[place + 1])
            bars.append(Bar(min(near, far), max(near, far), [(role, _height(count))]))
        sign_word = "+" if sign > 0 else "-"
        ticks += [
            (sign * (1.0 + decade), f"{sign_word}{show_duration(nearest * 10**decade)}")
            for decade in range(decades + 1)
        ]
    top = np.log10(max(2 * highest, 10))
    powers = [(0.0, "0"), *((_height(10**power), f"{10**power:,}") for power in range(int(top) + 1))]
    plot = Plot(
        "How much longer each task lasted in the run than in the base",
        Axis(
            "difference in latency: run minus base (logarithmic on both sides)",
            -1.3 - decades,
            1.3 + decades,
            ticks=sorted(ticks),
        ),
        Axis("tasks (logarithmic)", 0.0, _height(2 * highest), ticks=powers),
        bars=bars,
        keys=keys,
    )
    yield Drawing("Differences of the same tasks", plot.picture)


def _height(count: int) -> float:
    """On a logarithmic scale that begins with none; one task is still seen."""
    return float(np.log10(count) + 0.3) if count else 0.0


def _decade(seconds: float) -> int:
    return int(np.floor(np.log10(max(seconds, _SMALLEST_S)) + 1e-9))


def over_time(tasks: TaskChanges, differences: Differences) -> Iterator[Part]:
    """The mean difference of batches of tasks over scenario time, with that of all and its interval."""
    latency = tasks.latency
    if latency is None or not len(differences.batch_means_s):
        return
    each = len(differences.latency_s) // len(differences.batch_means_s)
    interval = ""
    levels = [Limit("mean of all", latency.difference, Role.ORANGE)]
    if latency.low is not None and latency.high is not None:
        low, high = show_signed(latency.low), show_signed(latency.high)
        interval = f" The mean of all: {low} to {high} ({show_ratio(tasks.confidence)})."
    yield Chart(
        name="paired",
        title="Mean difference in latency over time, run minus base",
        t_s=_rising(differences.edges_s[1:]),
        lines=[Line(f"mean of {each:,} tasks", Role.BLUE, differences.batch_means_s)],
        form=Form.SECONDS,
        limits=[*levels, Limit("no difference", 0.0, Role.GREY)],
        stepped=True,
        span_s=(0.0, tasks.until_s),
        note=f"Above no difference the run is slower.{interval}",
    )


def _rising(t_s: Floats) -> Floats:
    """Times that increase, as charts need them, where several are the same."""
    risen: Floats = np.maximum.accumulate(t_s) + 1e-6 * np.arange(len(t_s))
    return risen


def tables_of_tasks(tasks: TaskChanges) -> Iterator[Part]:
    """Means, quantiles and outcomes of the tasks that both runs accepted."""
    more = (
        f", {tasks.base_only:,} by the base only, {tasks.run_only:,} by the run only"
        if tasks.base_only or tasks.run_only
        else ""
    )
    yield Text(
        f"Both runs are simulations of the same work: {100 * tasks.alike:.4g} % of the tasks due before "
        f"{show_duration(tasks.until_s)} "
        "are due at the same instant in both, and each met the same service times and faults as far as the "
        "scenarios have them in "
        f"common. {tasks.tasks:,} tasks were accepted by both{more}. The warm-up is included.",
    )
    yield _times(tasks)
    yield Text(
        "The interval is Student's over 36 batches of consecutive tasks (batch means, Schmeiser 1982), since "
        "neighbouring tasks meet the "
        "same queue, and over as few as those are worth; there is none for too few tasks, or where batches depend "
        "on each other for "
        "too long. Variance reduction: the variance of the difference of two independent runs over that of this pair."
    )
    if tasks.latency is not None and tasks.wait is not None:
        yield _quantiles(tasks)
    yield _outcomes(tasks)
    yield Text(
        f"DONE in the base only: {tasks.done_in_base_only:,}; in the run only: {tasks.done_in_run_only:,} (p = "
        f"{tasks.p:.2g}, McNemar's "
        "exact test; tasks that a run left unfinished because it ended early do not count). Attempts: "
        f"{tasks.more_attempts:,} tasks took more, {tasks.fewer_attempts:,} fewer, {tasks.attempts:+.4g} on average."
    )


def _times(tasks: TaskChanges) -> Table:
    titles = ("tasks", "base", "run", "mean difference", "slower", "faster", "unchanged", "variance reduction")
    rows: list[list[AnyCell]] = []
    for name, time in (("latency", tasks.latency), ("wait", tasks.wait)):
        if time is None:
            continue
        if time.low is None:
            between = "the same" if time.unchanged == time.tasks else "no statement"
        else:
            between = f"{show_signed(time.low)} to {show_signed(time.high)} ({show_ratio(tasks.confidence)})"
        counts = [f"{each:,}" for each in (time.slower, time.faster, time.unchanged)]
        gain = "–" if time.gain is None else f"x{show_gain(time.gain)}"
        means = [show_duration(time.base_mean), show_duration(time.run_mean)]
        rows.append([name, f"{time.tasks:,}", *means, Cell(show_signed(time.difference), [between]), *counts, gain])
    return Table((Column(""), *(Column(each, number=True) for each in titles)), rows, "Times of the same tasks")


def _quantiles(tasks: TaskChanges) -> Table:
    titles = ("latency, base", "latency, run", "latency, difference", "wait, base", "wait, run", "wait, difference")
    assert tasks.latency is not None and tasks.wait is not None
    rows: list[list[AnyCell]] = [
        [
            f"p{100 * one.q:g}",
            *(
                text
                for each in (one, other)
                for text in (show_duration(each.base), show_duration(each.run), show_signed(each.difference))
            ),
        ]
        for one, other in zip(tasks.latency.quantiles, tasks.wait.quantiles, strict=True)
    ]
    return Table((Column("quantile"), *(Column(each, number=True) for each in titles)), rows, "Quantiles of both runs")


def _outcomes(tasks: TaskChanges) -> Table:
    columns = (Column("in the base"), Column("in the run"), Column("tasks", number=True))
    rows: list[list[AnyCell]] = [
        [each.base, Cell(each.run, tone=Tone.NONE if each.base == each.run else Tone.DOUBT), f"{each.tasks:,}"]
        for each in tasks.outcomes
    ]
    return Table(columns, rows, "How the same tasks ended")
