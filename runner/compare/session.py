"""One `soak compare` of two runs, from a request to files and a result."""

from soak.runner.analysis import Analysis, numbered_directory, write_analysis
from soak.runner.compare.baseline import read_sides
from soak.runner.compare.changes import compare, differences
from soak.runner.compare.pairing import pair
from soak.runner.compare.request import Request
from soak.runner.console import remark
from soak.schemas.evidence.changes import Changes

FILE, REPORT = "changes.json", "changes.md"


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

        write_analysis(directory, FILE, changes, render_changes(changes, pairing.differences), sealed=False)
    return Analysis(changes, directory.path, REPORT)
