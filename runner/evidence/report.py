"""Putting the report into a run directory."""

from pathlib import Path

from soak.runner.evidence.directory import INCIDENT, RunDirectory


def render_into(directory: RunDirectory, template: Path | None = None) -> list[str]:
    """Render the report from the files of `directory` into it; returns the names written.

    An existing incident is kept: it may have been filled in.
    """
    from soak.reports.render import render

    files = render(directory.path, template)
    if directory.file(INCIDENT).exists():
        files.pop(INCIDENT, None)
    for name, content in files.items():
        directory.write(name, content)
    return list(files)
