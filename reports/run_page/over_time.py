"""The charts of a run over scenario time, at one-minute resolution: of the whole, of its system, of its processes."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from soak.reports.data import MINUTE_S, ProcessSamples, RunData
from soak.reports.look.charts import Chart, Form, Lane, Line
from soak.reports.look.palette import SERIES, Role
from soak.reports.plots.canvas import role_of
from soak.reports.plots.growth import grown_panels
from soak.reports.plots.panels import TASKS_ON_PAGE, Panel
from soak.reports.room import ask, room_of
from soak.reports.run_page.surroundings import bands, lanes, marks
from soak.reports.run_page.windows import Windows
from soak.schemas.stream.block import Floats

LEAST_MINUTES = 3
"""Of shorter runs, in minutes, nothing is drawn by the minute."""
MOST_PROCESSES = 8
"""Lines of a chart of processes; those that used most are drawn."""


def system_charts(run: RunData, windows: Windows | None = None) -> list[Chart]:
    """The tasks per minute (by `windows` of a short run), the panels of the system: each with what went on around it."""
    system = run.scenario.system
    room = room_of(system)
    first = [_by_windows(windows, run)] if windows else []
    if len(run.metrics.t_s) < LEAST_MINUTES:
        return first
    own = ask(system, "its panels", room.panels_of, run)
    panels = [*own, *room.panels] if windows else [TASKS_ON_PAGE, *own, *room.panels]
    drawn = [panel.shown(run.metrics) for panel in panels if panel.of(run.metrics)]
    return [*first, *(_by_minutes(panel, run, f"panel-{place}") for place, panel in enumerate(drawn))]


def _by_windows(windows: Windows, run: RunData) -> Chart:
    """Tasks that were due, and that succeeded or badly, per second."""
    words = run.task_words
    units, states = (words.units, words.states) if words else ("tasks", {})
    lines = [
        Line("due", Role.GREY, windows.due / windows.lengths_s),
        Line(states.get("DONE", "DONE"), Role.BLUE, windows.done / windows.lengths_s),
        Line(states.get("FAILED", "FAILED"), Role.BAD, windows.failed / windows.lengths_s),
    ]
    return Chart(
        "per-second",
        f"{units.capitalize()} per second, {windows.words}",
        windows.t_s,
        lines,
        bands=bands(run),
        marks=marks(run),
        low=0.0,
        span_s=span(run),
    )


def lanes_chart(run: RunData) -> Chart | None:
    """Faults, alerts and phases under each other; None where there are none."""
    found: Sequence[Lane] = lanes(run)
    if not found:
        return None
    word = f"when {', '.join(lane.name for lane in found)} were active"
    return Chart(
        "lanes",
        "Faults, alerts and phases",
        np.empty(0),
        (),
        lanes=found,
        marks=marks(run),
        span_s=span(run),
        word=word,
    )


def span(run: RunData) -> tuple[float, float]:
    """From the start of the run to its end, in seconds."""
    return 0.0, run.verdict.ended_s or MINUTE_S


def minutes_of(run: RunData) -> Floats:
    """The ends of the minutes, the last one no later than the end of the run."""
    return np.minimum(run.metrics.t_s, run.verdict.ended_s or np.inf)


def _by_minutes(panel: Panel, run: RunData, name: str) -> Chart:
    lines = [
        Line(line.name, role_of(line.color), line.values(run.metrics, 1), filled=line.filled) for line in panel.lines
    ]
    columns = [name for line in panel.lines for name in line.columns]
    return Chart(
        name,
        panel.title,
        minutes_of(run)[: len(lines[0].values)],
        lines,
        unit=panel.unit,
        bands=bands(run),
        marks=marks(run),
        low=0.0,
        span_s=span(run),
        word=panel.title,
        of=columns[0] if len(columns) == 1 else "",
    )


def process_charts(run: RunData) -> Iterator[Chart]:
    """Memory, CPU and open files of the processes of a real run, of those that used most."""
    if not run.processes:
        return
    chosen = sorted(run.processes, key=lambda name: -float(run.processes[name].rss_bytes.max(initial=0.0)))
    names = sorted(islice(chosen, MOST_PROCESSES))
    note = "" if len(chosen) == len(names) else f"the {len(names)} of {len(chosen)} processes with the most memory"
    t_s = np.unique(np.concatenate([run.processes[name].t_s for name in names]))
    for key, title, form, unit in (
        ("memory", "Memory of each process", Form.BYTES, ""),
        ("cpu", "CPU of each process", Form.RATIO, "of a core"),
        ("files", "Open files of each process", Form.NUMBER, "files"),
    ):
        lines = [
            Line(name, SERIES[place % len(SERIES)], _at(t_s, *_series(key, run.processes[name], run.manifest.speed)))
            for place, name in enumerate(names)
        ]
        yield Chart(
            f"process-{key}",
            title,
            t_s,
            lines,
            form,
            unit,
            bands=bands(run),
            marks=marks(run),
            low=0.0,
            span_s=span(run),
            note=note,
        )


def growth_charts(run: RunData) -> Iterator[Chart]:
    """Each series that may grow slowly, with its fitted line."""
    forms = {"s": (Form.SECONDS, ""), "MiB": (Form.BYTES, "")}
    columns = {each.sli: each.column for each in room_of(run.scenario.system).grown}
    for place, (growth, title, unit, t_s, values) in enumerate(grown_panels(run)):
        form, shown = forms.get(unit, (Form.NUMBER, unit))
        times = np.minimum(t_s, run.verdict.ended_s or np.inf)
        lines = [
            Line(title.lower(), Role.BLUE, values),
            Line("fitted", Role.BAD, growth.level + growth.slope * times / 3600.0),
        ]
        yield Chart(
            f"growth-{place}",
            title,
            times,
            lines,
            form,
            shown,
            bands=bands(run),
            marks=marks(run),
            low=0.0,
            of=columns.get(growth.sli, ""),
            span_s=span(run),
        )


def _series(key: str, samples: ProcessSamples, speed: float) -> tuple[Floats, Floats]:
    if key == "memory":
        return samples.t_s, samples.rss_bytes
    if key == "files":
        return samples.t_s, samples.open_files
    used_s, real_s = np.diff(samples.cpu_s), np.diff(samples.t_s) / speed
    share = np.where((used_s >= 0) & (real_s > 0), used_s / np.maximum(real_s, 1e-9), np.nan)
    return samples.t_s[1:], share


def _at(t_s: Floats, of_s: Floats, values: Floats) -> Floats:
    """Values at the times of all processes; unknown where this one has none."""
    found = np.full(len(t_s), np.nan)
    places = np.searchsorted(t_s, of_s)
    found[places] = values
    return found
