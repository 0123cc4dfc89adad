"""report.html: one self-contained file, from a Jinja2 template with autoescaping."""

import base64
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from msgspec import Struct

from soak.reports.attribution import AttributionTables, attribution_tables
from soak.reports.data import RunData
from soak.reports.decided import section
from soak.reports.events import read_histories
from soak.reports.look.charts import Chart
from soak.reports.look.contents import with_contents
from soak.reports.look.encoded import encode
from soak.reports.look.page import base
from soak.reports.look.table import Table
from soak.reports.reviews import shown_reviews
from soak.reports.room import ask, room_of
from soak.reports.run_page import first, tables
from soak.reports.run_page.broken import broken
from soak.reports.run_page.causes import accounts
from soak.reports.run_page.distribution import distribution
from soak.reports.run_page.ended import Ended, read_ended
from soak.reports.run_page.objective_charts import objective_charts
from soak.reports.run_page.once import once
from soak.reports.run_page.over_time import (
    LEAST_MINUTES,
    growth_charts,
    lanes_chart,
    process_charts,
    system_charts,
)
from soak.reports.run_page.reviews import reviews
from soak.reports.run_page.surroundings import resolution
from soak.reports.run_page.windows import Windows, windows_of
from soak.reports.summary import TEMPLATES, checkpoint_slis, render_template
from soak.schemas.evidence.verdict import Section
from soak.schemas.stream.storage import stream_file

TEMPLATE = TEMPLATES / "report.html.j2"


def render_page(
    run: RunData, directory: Path, plots: dict[str, bytes], template: Path | None = None, ended: Ended | None = None
) -> str:
    """The report of the run in `directory`; `template` may be a user's. Raises UsageError if that fails, EvidenceError.

    ended: what the stream says of tasks; None: it is read.
    """
    system, inline = run.scenario.system, partial(_inlined, plots)
    stream = stream_file(directory, run.scenario.name)
    ended = None if run.work else read_ended(stream) if ended is None else ended
    windows = windows_of(ended, run.verdict.ended_s) if ended else None
    charts = _charts(run, windows)
    encoded = encode(charts.all)
    parts = ask(system, "its part of report.html", room_of(system).page, run, inline).strip()
    page = render_template(
        template or TEMPLATE,
        run,
        escaped=True,
        **base(first.head_of(run), charts.all, encoded),
        **_said_first(run),
        tables=_tables(run),
        **charts.places(),
        sections=[(each, tables.system_section(each)) for each in _sections(run)],
        explained=_explained(run),
        small_note=ask(system, "its note on small charts", room_of(system).small_note, run),
        resolution=_resolution(encoded.fold, windows),
        histories=read_histories(stream, run.verdict.slowest),
        latencies=distribution(run, ended) if ended else None,
        tails_plot=inline("tails.svg"),
        system_part=parts,
        plots=list(plots),
    )
    return with_contents(page)


def _inlined(plots: Mapping[str, bytes], name: str) -> str:
    """A plot in base64; empty if the run does not have it."""
    return base64.b64encode(plots[name]).decode() if name in plots else ""


def _said_first(run: RunData) -> dict[str, object]:
    """What stands under the verdict."""
    found = accounts(run)
    shown = broken(run, found)
    return {
        "broken": shown,
        "notes": first.notes(run),
        "not_judged": first.not_judged(run),
        "reasons": _reasons(run, shown.subjects),
        "caveats": [] if shown.table.rows else run.verdict.caveats,
        "tiles": first.tiles(run),
        "steps": first.next_steps(run, found),
    }


def _reasons(run: RunData, said: frozenset[str]) -> list[str]:
    """The reasons that the table does not say already; all of them where evidence of before does not tell them apart."""
    if not run.verdict.typed_reasons:
        return list(run.verdict.reasons)
    return [each.text for each in run.verdict.typed_reasons if each.subject not in said]


class _Charts(Struct, frozen=True):
    objectives: list[Chart]
    small: list[Chart]
    lanes: Chart | None
    system: list[Chart]
    processes: list[Chart]
    growth: list[Chart]

    @property
    def all(self) -> list[Chart]:
        """Every chart, in the order of the page."""
        lanes = [self.lanes] if self.lanes else []
        return [*self.objectives, *self.small, *lanes, *self.system, *self.processes, *self.growth]

    def places(self) -> dict[str, object]:
        """The charts, by the places that they have on the page."""
        return {
            "objective_charts": self.objectives,
            "small_charts": self.small,
            "system_charts": self.system,
            "process_charts": self.processes,
            "growth_charts": self.growth,
            "lanes": self.lanes,
        }


def _charts(run: RunData, windows: Windows | None) -> _Charts:
    if len(run.metrics.t_s) < LEAST_MINUTES:
        if windows is None:
            return _Charts([], [], None, [], [], [])
        return _Charts(list(objective_charts(run, windows)), [], lanes_chart(run), system_charts(run, windows), [], [])
    system = run.scenario.system
    small = list(ask(system, "its small charts", room_of(system).small, run))
    objectives, panels, growth = once(
        list(objective_charts(run, windows)), system_charts(run, windows), list(growth_charts(run))
    )
    return _Charts(objectives, small, lanes_chart(run), panels, list(process_charts(run)), growth)


def _explained(run: RunData) -> list[tables.CaseTable]:
    explanation = run.verdict.explanation
    return [tables.cases_of(run, each, explanation[:place]) for place, each in enumerate(explanation)]


def _sections(run: RunData) -> list[Section]:
    return [each for each in [run.verdict.section, *(run.verdict.sections or [])] if each]


def _resolution(folds: dict[str, int], windows: Windows | None) -> str:
    minutes = max(folds.values(), default=0)
    if not minutes:
        return ""
    seconds = f", but for those with {windows.words} in their titles, which are of the event stream" if windows else ""
    return f"Charts show {resolution(minutes)}{seconds}."


class _Tables(Struct, frozen=True):
    objectives: Table
    alerts: Table
    faults: Table
    costs: Table | None
    occasions: Table | None
    errors: Table
    laws: Table
    growths: Table
    tails: Table
    known: Table | None
    checkpoints: Table
    indicators: Table
    reviews: Table


def _tables(run: RunData) -> _Tables:
    found: AttributionTables | None = attribution_tables(run.verdict.attribution, run.work)
    known = section(run.verdict)
    slis = checkpoint_slis(run, {"success_rate": "success", "latency_p95": "p95", "latency_p99": "p99"})
    return _Tables(
        objectives=tables.objectives(run),
        alerts=tables.alerts(run),
        faults=tables.faults(run),
        costs=tables.costs(run, found) if found else None,
        occasions=tables.occasions(found) if found else None,
        errors=tables.errors(run),
        laws=tables.laws(run),
        growths=tables.growths(run),
        tails=tables.return_levels([each for each in run.verdict.tails if not each.withheld]),
        known=tables.when_known(known) if known else None,
        checkpoints=tables.checkpoints(run, slis),
        indicators=tables.indicators(run),
        reviews=reviews(shown_reviews(run.directory)),
    )
