"""One `soak compare --parity` from two run directories to files and a few lines."""

from pathlib import Path

from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.record import to_json
from soak.runner.parity.compare import compare
from soak.runner.parity.source import open_run, refuse_incomparable
from soak.schemas.errors import UsageError
from soak.schemas.evidence.parity import Agreement, Parity

PARITY = "parity.json"
_WORDS = {
    Agreement.AGREES: "the runs agree",
    Agreement.DIFFERS: "the runs do not agree",
    Agreement.NOT_COMPARED: "there is nothing to compare",
}


def compare_runs(base_path: Path, run_path: Path, out: Path | None) -> tuple[Parity, Path]:
    """Compare two run directories and write what comes of it; returns it and where. Raises SoakError."""
    base, run = open_run(base_path), open_run(run_path)
    refuse_incomparable(base, run)
    target = out or Path(f"parity-{base.identity.scenario}")
    for evidence in (base_path.resolve(), run_path.resolve()):
        if evidence in target.resolve().parents:
            raise UsageError(f"{target}: lies inside {evidence.name}, whose evidence is sealed (choose another --out)")
    directory = RunDirectory.create(target, base.identity.scenario)
    parity, latencies = compare(base, run)
    from soak.reports.parity import render_parity

    directory.write(PARITY, to_json(parity))
    for name, content in render_parity(parity, latencies).items():
        directory.write(name, content)
    return parity, directory.path


def summary_lines(parity: Parity, directory: Path) -> str:
    """The comparison for a terminal."""
    counts, sides = parity.tasks, f"{parity.base.target} and {parity.run.target}"
    compared = [figure for figure in parity.figures if figure.status is not Agreement.NOT_COMPARED]
    agreeing = sum(figure.status is Agreement.AGREES for figure in compared)
    return "\n".join(
        [
            f"{parity.status.value}  {parity.scenario}: {_WORDS[parity.status]} ({sides}, seed {parity.seed})",
            *(f"  {reason}" for reason in parity.reasons),
            f"  {counts.same_state:,} of {counts.seen:,} tasks in the same state, "
            f"{counts.same_attempts:,} of {counts.accepted_in_both:,} with as many attempts",
            f"  {agreeing} of {len(compared)} figures within their tolerance",
            f"  report: {directory / 'parity.md'}",
        ]
    )
