"""The history of a folder of runs, and the page that shows it."""

import os
from pathlib import Path

from soak.runner.evidence.directory import refuse_in_run, write_whole
from soak.runner.history.folder import read_runs
from soak.runner.history.trends import series_of
from soak.schemas.errors import UsageError, reason
from soak.schemas.evidence.runs import History

PAGE = "index.html"


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
    try:
        if path.is_dir() or (path.exists() and mark.encode() not in path.read_bytes()):
            raise UsageError(f"{path}: exists, and soak history did not write it (choose another --out)")
    except OSError as error:
        raise UsageError(f"{path}: {reason(error)} (choose another --out)") from None
