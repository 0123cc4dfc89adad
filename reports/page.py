"""report.html: one file that needs nothing else, from a Jinja2 template in which everything is escaped."""

import base64
from pathlib import Path

from reports.data import RunData
from reports.history import read_histories
from reports.summary import TEMPLATES, render_template
from reports.timeline import WIDTH, draw_timeline

TEMPLATE = TEMPLATES / "report.html.j2"


def render_page(run: RunData, directory: Path, plots: dict[str, bytes], template: Path | None = None) -> str:
    """The report of the run in `directory`; `template` is a user's own. Raises UsageError when that fails, EvidenceError."""
    processes = plots.get("processes.svg")
    return render_template(
        template or TEMPLATE,
        run,
        escaped=True,
        timeline=draw_timeline(run),
        timeline_width=WIDTH,
        histories=read_histories(directory / f"soak_{run.scenario.name}.jsonl", run.verdict.slowest),
        processes=base64.b64encode(processes).decode() if processes else "",
        growth=base64.b64encode(plots["growth.svg"]).decode() if "growth.svg" in plots else "",
        plots=list(plots),
    )
