"""`soak validate`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click
from msgspec import Struct

from soak.runner.cli.options import all_settings, json_option, options_option, override_options
from soak.runner.console import remark, tell
from soak.schemas.errors import FileError, Problem, ScenarioError, SoakError

if TYPE_CHECKING:
    from soak.schemas.language.document import Document


@click.command("validate")
@click.argument("scenarios", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="SCENARIO...")
@override_options
@options_option
@json_option
def command(
    scenarios: tuple[Path, ...],
    seed: int | None,
    duration: str | None,
    settings: tuple[str, ...],
    overlays: tuple[Path, ...],
    tier: str | None,
    target_options: dict[str, str],
    as_json: bool,
) -> int:
    """Check scenario and target files and list every mistake, each with file, line, column and what to write instead.

    Warnings name what is valid but can never happen, such as a condition that cannot hold, and abort conditions that
    would end sound runs by chance; they are not errors. Without --tier every tier is checked. Exit codes: 0 all are valid,
    2 one is not.

    \b
    Examples:
      soak validate scenarios/*.yaml
      soak validate scenarios/72h.yaml --tier pr --set queue.workers=2
      soak validate scenarios/72h.yaml --overlay calibrated.yaml
      soak validate targets/my-pipeline.yaml --option broker=redis
    """
    changes = _Changes(tier, overlays, all_settings(settings, duration, seed), _Once(), target_options)
    checked = {path: _check(path, changes) for path in scenarios}
    if as_json:
        tell(_as_json(checked))
    else:
        _tell_all(checked, changes.words)
    return 2 if any(problems for problems, _ in checked.values()) else 0


_Checked: TypeAlias = "dict[Path, tuple[list[Problem], list[Problem]]]"
"""Problems and warnings of each file."""


def _merged(checked: _Checked) -> tuple[list[Problem], list[Problem]]:
    """The problems and warnings of all files, each once."""
    problems = dict.fromkeys(problem for found, _ in checked.values() for problem in found)
    warnings = dict.fromkeys(warning for _, found in checked.values() for warning in found)
    return list(problems), list(warnings)


def _as_json(checked: _Checked) -> str:
    import json
    from dataclasses import asdict

    problems, warnings = _merged(checked)
    said = {"problems": [asdict(each) for each in problems], "warnings": [asdict(each) for each in warnings]}
    files = {str(path): not found for path, (found, _) in checked.items()}
    return json.dumps({"valid": not problems, "files": files, **said}, indent=2)


def _tell_all(checked: _Checked, changes: str) -> None:
    problems, warnings = _merged(checked)
    for problem in problems:
        remark(str(problem))
    for warning in warnings:
        remark(f"warning: {warning}")
    for path, (found, _) in checked.items():
        if not found:
            tell(f"{path}: valid{changes}")
        elif len(checked) > 1:
            tell(f"{path}: not valid{changes} ({len(found)} {'mistakes' if len(found) > 1 else 'mistake'})")


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


class _Changes(Struct, frozen=True):
    """What the options change in each scenario."""

    tier: str | None
    overlays: tuple[Path, ...]
    settings: Sequence[str]
    read: _Once
    options: Mapping[str, str]
    """Of target files."""

    @property
    def words(self) -> str:
        """The changes, after `valid`."""
        changes = [*([f"tier {self.tier}"] if self.tier else []), *map(str, self.overlays), *self.settings]
        return f" with {', '.join(changes)}" if changes else ""


def _check(path: Path, changes: _Changes) -> tuple[list[Problem], list[Problem]]:
    """The errors in a scenario file, and warnings (see `cautions`)."""
    from soak.runner.cautions import cautions
    from soak.schemas.files import STDIN
    from soak.schemas.language.load import Sources
    from soak.schemas.target.recognise import describes_a_target

    try:
        if path != STDIN and describes_a_target(document := changes.read(path)):
            from soak.schemas.target.load import loaded_from

            loaded_from(document, path, changes.options)
            return [], []
        if changes.options:
            what = "--option applies to target files, and this is a scenario"
            raise ScenarioError([Problem(str(path), 0, 0, "", what, "remove it")])
        sources = Sources.read(path, changes.overlays, changes.read)
        return [], list(cautions(sources.load(tier=changes.tier, settings=changes.settings)))
    except ScenarioError as error:
        return list(error.problems), []
    except FileError as error:
        return [error.problem], []
