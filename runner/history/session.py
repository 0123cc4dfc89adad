"""The history of a folder of runs, and the page that shows it."""

import os
from pathlib import Path

from soak.runner.evidence.directory import refuse_in_run, write_whole
from soak.runner.history.folder import read_runs
from soak.runner.history.trends import series_of
from soak.schemas.errors import UsageError, reason
from soak.schemas.evidence.runs import History

PAGE = "index.html"
_HEAD_BYTES = 200_000


def read_history(folder: Path) -> History:
    """All runs of a folder, and the trends of those with a verdict. Raises UsageError for what is not a folder."""
    rows = read_runs(folder)
    return History(folder.as_posix(), rows, series_of(rows))


def write_page(history: History, out: Path | None) -> Path:
    """Write the page to `out`, or into the folder itself, and say where it is.

    Raises UsageError for a place inside a run directory or a file that is not such a page, and OutputError.
    """
    from soak.reports.run_history.page import MADE_BY, render_history

    path = out or Path(history.folder) / PAGE
    refuse_in_run(path)
    _refuse_other(path, f'content="{MADE_BY}"')
    to_folder = Path(os.path.relpath(history.folder, path.parent)).as_posix()
    page = render_history(history, "" if to_folder == "." else to_folder)
    write_whole(path, page.encode(errors="backslashreplace"))
    return path


def _refuse_other(path: Path, mark: str) -> None:
    """Raise UsageError for anything that is not such a page; a pipe or a device is not even opened: it may have no end."""
    try:
        if path.exists() and not (path.is_file() and mark in _first(path)):
            raise UsageError(f"{path}: exists, and soak history did not write it (choose another --out)")
    except OSError as error:
        raise UsageError(f"{path}: {reason(error)} (choose another --out)") from None


def _first(path: Path) -> str:
    """The beginning of a file; the mark of a page is in its head, after the styles."""
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES).decode(errors="replace")
