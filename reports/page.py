"""report.html: one self-contained file, from a Jinja2 template with autoescaping."""

import base64
from pathlib import Path

from soak.reports.data import RunData
from soak.reports.history import read_histories
from soak.reports.room import ask, room_of
from soak.reports.summary import TEMPLATES, checkpoint_slis, render_template
from soak.reports.timeline import WIDTH, draw_timeline

LEAST_MINUTES = 3
"""Shorter runs, in minutes, have no timeline."""

TEMPLATE = TEMPLATES / "report.html.j2"


def render_page(run: RunData, directory: Path, plots: dict[str, bytes], template: Path | None = None) -> str:
    """The report of the run in `directory`; `template` may be a user's. Raises UsageError if that fails, EvidenceError."""
    system = run.scenario.system

    def inline(name: str) -> str:
        """A plot for embedding in the page; empty if the run does not have it."""
        return base64.b64encode(plots[name]).decode() if name in plots else ""

    return render_template(
        template or TEMPLATE,
        run,
        escaped=True,
        timeline=draw_timeline(run) if len(run.metrics.t_s) >= LEAST_MINUTES else None,
        timeline_width=WIDTH,
        histories=read_histories(directory / f"soak_{run.scenario.name}.jsonl", run.verdict.slowest),
        processes=inline("processes.svg"),
        growth=inline("growth.svg"),
        tails_plot=inline("tails.svg"),
        system_part=ask(system, "its part of report.html", room_of(system).page, run, inline).strip(),
        checkpoint_slis=checkpoint_slis(run, {"success_rate": "success", "latency_p95": "p95", "latency_p99": "p99"}),
        plots=list(plots),
    )
