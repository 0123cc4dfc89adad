"""One `soak compare` of two runs, from a request to files and a result."""

from soak.runner.analysis import Analysis, numbered_directory, write_analysis
from soak.runner.compare.baseline import read_sides
from soak.runner.compare.changes import compare, differences
from soak.runner.compare.pairing import pair
from soak.runner.compare.request import Request
from soak.runner.console import remark
from soak.schemas.evidence.changes import Changes

FILE, REPORT = "changes.json", "changes.html"


def perform(request: Request) -> Analysis[Changes]:
    """Compare a run with a base and write what comes of it. Raises SoakError."""
    sides = read_sides(request.base, request.run)
    pairing = pair(*sides)
    base, run = (side.baseline for side in sides)
    different = differences(*sides)
    changes = compare(
        base,
        run,
        alpha=request.alpha,
        least=request.least,
        objectives=request.objectives,
        pairing=pairing,
        different=different,
    )
    if different:
        remark(f"not like for like: {', '.join(different)}")
    with numbered_directory(request.out, f"compare-{run.scenario}") as directory:
        from soak.reports.changes import render_changes
        from soak.reports.pages.compare import changes_page

        paired = pairing.differences
        rendered = {**render_changes(changes, paired), REPORT: changes_page(changes, paired)}
        write_analysis(directory, FILE, changes, rendered, sealed=False)
    return Analysis(changes, directory.path, REPORT)
