"""`soak validate`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from soak.runner.cli.options import json_option, overlay_option
from soak.runner.console import remark, tell
from soak.schemas.errors import FileError, Problem, ScenarioError, SoakError

if TYPE_CHECKING:
    from soak.schemas.language.document import Document


@click.command("validate")
@click.argument("scenarios", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="SCENARIO...")
@overlay_option
@json_option
def command(scenarios: tuple[Path, ...], overlays: tuple[Path, ...], as_json: bool) -> int:
    """Check scenario files and list every mistake, each with file, line, column and what to write instead.

    Warnings name what is valid but can never happen, such as a condition that cannot hold, and abort conditions that
    would end sound runs by chance; they are not errors.

    \b
    Examples:
      soak validate scenarios/*.yaml
      soak validate scenarios/72h.yaml --overlay calibrated.yaml
    """
    read = _Once()
    checked = {path: _check(path, overlays, read) for path in scenarios}
    problems = list(dict.fromkeys(problem for found, _ in checked.values() for problem in found))
    warnings = list(dict.fromkeys(warning for _, found in checked.values() for warning in found))
    if as_json:
        import json
        from dataclasses import asdict

        said = {"problems": [asdict(each) for each in problems], "warnings": [asdict(each) for each in warnings]}
        tell(json.dumps({"valid": not problems, **said}, indent=2))
    else:
        for problem in problems:
            remark(str(problem))
        for warning in warnings:
            remark(f"warning: {warning}")
        for path, (found, _) in checked.items():
            if not found:
                tell(f"{path}: valid{' with ' if overlays else ''}{', '.join(map(str, overlays))}")
    return 2 if problems else 0


class _Once:
    """Reads documents, each once: an overlay that several scenarios share may be a pipe."""

    def __init__(self) -> None:
        self._known: dict[Path, Document | SoakError] = {}

    def __call__(self, path: Path) -> "Document":
        """Raises FileError or ScenarioError."""
        from soak.schemas.language.document import read_document

        if path not in self._known:
            try:
                self._known[path] = read_document(path)
            except SoakError as error:
                self._known[path] = error
        found = self._known[path]
        if isinstance(found, SoakError):
            raise found
        return found


def _check(path: Path, overlays: tuple[Path, ...], read: _Once) -> tuple[list[Problem], list[Problem]]:
    """The errors in a scenario file, and warnings (see `cautions`)."""
    from soak.runner.cautions import cautions
    from soak.schemas.language.load import Sources

    try:
        return [], list(cautions(Sources.read(path, overlays, read).load()))
    except ScenarioError as error:
        return list(error.problems), []
    except FileError as error:
        return [error.problem], []
