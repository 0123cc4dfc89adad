"""Putting the report into a run directory."""

import gc
from pathlib import Path
from typing import TYPE_CHECKING

from soak.reports.drawing import import_undocumented
from soak.runner.evidence.directory import INCIDENT, RunDirectory
from soak.runner.own_process import is_ours
from soak.schemas.errors import EvidenceError, shown

if TYPE_CHECKING:
    from soak.reports.run_page.ended import Ended


def render_into(directory: RunDirectory, ended: "Ended | None" = None) -> list[str]:
    """Render the report from the files of `directory` into it; returns the names written.

    `ended`: what its stream says, of a run that has just ended. An existing incident is kept: it may have been filled in.
    """
    return _put(directory, _rendered(directory.path, None, ended))


def render_whatever(directory: RunDirectory, template: Path | None = None) -> list[str]:
    """`render_into` for evidence that may hold anything: what cannot be drawn is an error of the evidence. Raises EvidenceError.

    Not for a run that has just ended, whose report fails by a defect of ours only.
    """
    import warnings

    try:
        with warnings.catch_warnings(action="ignore"):
            files = _rendered(directory.path, template)
    except UNDRAWABLE as error:
        what = f"{directory.path}: the report cannot be made: {type(error).__name__} {shown(str(error))}"
        remedy = "see `soak verify`; if the evidence agrees, this is a bug in soak: --debug shows a traceback to report"
        raise EvidenceError(f"{what} ({remedy})") from error
    return _put(directory, files)


UNDRAWABLE = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)
"""What drawing raises of figures that no run has."""


def _rendered(path: Path, template: Path | None, ended: "Ended | None" = None) -> dict[str, bytes]:
    """The files of the report; cycles are collected afterwards, as looking for them takes a tenth of the time."""
    watched = gc.isenabled()
    gc.disable()
    try:
        if is_ours():
            import_undocumented()
        from soak.reports.render import render

        return render(path, template, ended)
    finally:
        if watched:
            gc.enable()


def _put(directory: RunDirectory, files: dict[str, bytes]) -> list[str]:
    if directory.file(INCIDENT).exists():
        files.pop(INCIDENT, None)
    for name, content in files.items():
        directory.write(name, content)
    return list(files)
