"""One `soak compare --parity`, from a request to files and a result."""

from soak.runner.analysis import Analysis, numbered_directory, write_analysis
from soak.runner.parity.compare import compare
from soak.runner.parity.request import Request
from soak.runner.parity.source import open_run, refuse_incomparable
from soak.schemas.evidence.parity import Parity

FILE, REPORT = "parity.json", "parity.html"


def perform(request: Request) -> Analysis[Parity]:
    """Compare two run directories and write what comes of it. Raises SoakError."""
    base, run = open_run(request.base), open_run(request.run)
    refuse_incomparable(base, run)
    with numbered_directory(request.out, f"parity-{base.identity.scenario}") as directory:
        parity, latencies = compare(base, run)
        from soak.reports.pages.parity import parity_page
        from soak.reports.parity import render_parity

        rendered = {**render_parity(parity, latencies), REPORT: parity_page(parity, latencies)}
        write_analysis(directory, FILE, parity, rendered, sealed=False)
    return Analysis(parity, directory.path, REPORT)
