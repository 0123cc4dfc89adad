"""What the analysis commands have in common: the scenario they are asked about, where they write, and what they print.

Each command is a room of the same shape: `request.Request`, `session.perform(request)`, a result in `schemas.evidence`, and a
renderer in `reports`.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from msgspec import Struct

from soak.runner.console import tell
from soak.runner.evidence.directory import RunDirectory, refuse_in_run
from soak.runner.evidence.record import to_json
from soak.runner.output import open_if_asked, output
from soak.runner.targets.simulation import default_engine
from soak.schemas.language.load import Loaded, Sources

R = TypeVar("R")


class ScenarioFile(Struct, frozen=True):
    """A scenario file, and what the command line changes in it: `--tier`, `--overlay`, and `--set` and its like."""

    path: Path
    tier: str | None = None
    overlays: tuple[Path, ...] = ()
    settings: tuple[str, ...] = ()

    def read(self) -> Sources:
        """Its files, read once. Raises ScenarioError or UsageError."""
        return Sources.read(self.path, self.overlays)

    def load(self) -> Loaded:
        """The scenario, as simulations are judged. Raises ScenarioError or UsageError."""
        return self.read().load(tier=self.tier, settings=self.settings).simulated()


class Analysis(Struct, Generic[R], frozen=True):
    """The result of an analysis, the directory it was written to, and the file in it that people open first."""

    result: R
    directory: Path
    report: str
    interrupted: bool = False

    def tell(self, summary: str, *, as_json: bool) -> None:
        """Print the result: as JSON, or `summary` and where the report is; of a quiet command, the first line of it."""
        page = self.directory / self.report
        if as_json:
            tell(to_json(self.result).decode(), nl=False)
        else:
            tell(summary.splitlines()[0] if output().quiet else f"{summary}\n  report: {page}")
        open_if_asked(page)


@contextmanager
def dated_directory(out: Path | None, folder: str, name: str) -> Iterator[RunDirectory]:
    """Where to write: `out`, or a new `<folder>/<name>-<UTC time>`; removed when nothing was written to it.

    Raises UsageError or OutputError.
    """
    default_engine()  # of what cannot be simulated nothing is left
    if out:
        refuse_in_run(out)
    with closing(RunDirectory.create(out, name, under=folder)) as directory:
        yield directory


@contextmanager
def numbered_directory(out: Path | None, first: str) -> Iterator[RunDirectory]:
    """Where to write: `out`, or the first of `first`, `<first>-2`, `<first>-3` … that does not exist; else as above."""
    refuse_in_run(out or Path(first))
    with closing(RunDirectory.create(out, first) if out else RunDirectory.numbered(Path(first))) as directory:
        yield directory


def write_analysis(
    directory: RunDirectory, name: str, result: Any, rendered: Mapping[str, bytes], *, sealed: bool = True
) -> None:
    """Write the result as JSON, the files that people look at and, where `sealed`, the checksums of all. Raises OutputError."""
    directory.write(name, to_json(result))
    for file, content in rendered.items():
        directory.write(file, content)
    if sealed:
        directory.write_checksums()
