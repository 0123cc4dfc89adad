"""The runs of a folder, newest first, and which of them are asked for."""

import os
from collections.abc import Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec import Struct

from soak.runner.evidence.directory import RUNS
from soak.runner.history.reading import has_signs, read_run
from soak.schemas.errors import UsageError, reason
from soak.schemas.evidence.runs import RunRow, RunState

DEEPEST = 4
"""How many folders deep runs are looked for."""


class Filter(Struct, frozen=True):
    """Which runs are asked for; empty: all. scenarios, targets: names with `*`; since: the earliest start, in UTC."""

    scenarios: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    states: tuple[RunState, ...] = ()
    since: datetime | None = None

    def admits(self, row: RunRow) -> bool:
        """Whether a run is asked for; one without a start is not where runs since a time are."""
        return (
            _any(self.scenarios, row.scenario)
            and _any(self.targets, row.target)
            and (not self.states or row.state in self.states)
            and (self.since is None or (bool(row.started_at) and row.started_at >= f"{self.since:%Y-%m-%dT%H:%M:%SZ}"))
        )


def _any(patterns: tuple[str, ...], name: str) -> bool:
    return not patterns or any(fnmatchcase(name, each) for each in patterns)


def read_runs(folder: Path) -> list[RunRow]:
    """Every run below `folder`, and every other folder directly in it; the newest first, those without a start last.

    Raises UsageError for what is not a folder.
    """
    if not folder.is_dir():
        made = " (soak run SCENARIO makes it)" if folder == Path(RUNS) else " (give a folder of runs)"
        raise UsageError(f"{folder}: is not a directory{made}")
    try:
        names = _names(folder)
    except OSError as error:
        raise UsageError(f"{folder}: {reason(error)} (give a folder of runs)") from None
    if has_signs(names):
        return [read_run(folder, ".")]
    rows = [read_run(folder / name, name) for name in _run_names(folder, "", 1) if not _is_round(folder, name)]
    return sorted(rows, key=lambda row: (row.started_at, row.path), reverse=True)


def _names(folder: Path) -> set[str]:
    """The names of what is in a folder. Raises OSError."""
    with os.scandir(folder) as entries:
        return {each.name for each in entries}


def _run_names(folder: Path, above: str, depth: int) -> Iterator[str]:
    """Paths below the folder that was asked for, of runs and of folders without any."""
    try:
        with os.scandir(folder) as entries:
            inside = sorted(each.name for each in entries if _is_folder(each, links=depth == 1))
    except OSError:
        return
    for name in inside:
        path, found = f"{above}{name}", False
        try:
            names = _names(folder / name)
        except OSError:
            names = set()
        if has_signs(names):
            yield path
            continue
        if depth < DEEPEST:
            for below in _run_names(folder / name, f"{path}/", depth + 1):
                found = True
                yield below
        if depth == 1 and not found:
            yield path


def _is_round(folder: Path, name: str) -> bool:
    """Whether a name is a link into the folder that was asked for, or to one above it: no run is listed twice."""
    first = folder / name.partition("/")[0]
    if not first.is_symlink():
        return False
    own, led = folder.resolve(), first.resolve()
    return own.is_relative_to(led) or led.is_relative_to(own)


def _is_folder(entry: os.DirEntry[str], *, links: bool) -> bool:
    """A folder that is looked into: not a hidden one. Links below the first level could lead round in circles."""
    try:
        return not entry.name.startswith(".") and entry.is_dir(follow_symlinks=links)
    except OSError:
        return False
