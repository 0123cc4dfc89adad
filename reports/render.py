"""All files of a report, from the files of a run directory only."""

from pathlib import Path

from soak.reports.bounds import bounded
from soak.reports.data import read_run
from soak.reports.plots import render_plots
from soak.reports.room import ask, room_of
from soak.reports.run_page.ended import Ended
from soak.reports.run_page.page import render_page
from soak.reports.summary import render_incident, render_summary
from soak.schemas.evidence.verdict import Outcome


def render(directory: Path, template: Path | None = None, ended: Ended | None = None) -> dict[str, bytes]:
    """The files of the report by name; a `template` with .html in its name is for the page, any other for the summary.

    ended: what `read_ended` would find, where that is known already.

    Raises EvidenceError for evidence that cannot be read, UsageError for a template.
    """
    read = read_run(directory)
    run, in_markdown = bounded(read), bounded(read, markdown=True)
    # A user's template gets a copy: sandboxes have been escaped before, and the sealed files are made from the original.
    theirs = bounded(read_run(directory)) if template else run
    plots = render_plots(run)
    for_page = template is not None and ".html" in template.name
    files = {
        "soak_summary.md": render_summary(
            theirs if template and not for_page else in_markdown, list(plots), None if for_page else template
        ).encode(),
        "report.html": render_page(
            theirs if for_page else run, directory, plots, template if for_page else None, ended
        ).encode(),
    }
    files.update((f"plots/{name}", content) for name, content in plots.items())
    system = run.scenario.system
    further = ask(system, "further files of its report", room_of(system).documents, run, directory)
    files.update((name, text.encode()) for name, text in further.items())
    if run.verdict.verdict is Outcome.ABORTED:
        files["incident.md"] = render_incident(in_markdown, directory).encode()
    return files
