"""The scenario as it was run, stored beside the evidence so that it loads again from there alone."""

from pathlib import Path
from typing import Any

import yaml

from runner.evidence.directory import SCENARIO, RunDirectory
from schemas.document import parse_document
from schemas.load import Loaded


class _Dumper(yaml.SafeDumper):
    """Writes text that the loader reads back as text."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # A value of ours that the loader would not read back as the same text gets quotes.
    try:
        document = parse_document(f"{text}\n", "text")
        plain = document.data == text and not document.problems
    except Exception:
        plain = False
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)


def store_scenario(directory: RunDirectory, loaded: Loaded) -> None:
    """Store the scenario as run, and the files it names. Raises OutputError."""
    data = loaded.data
    renamed = dict(_copy_files(directory, data, loaded.source.parent))
    if not loaded.overridden and all(name == stored for name, stored in renamed.items()):
        directory.write(SCENARIO, loaded.source.read_bytes())
        return
    text = yaml.dump(_with_names(data, renamed), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    directory.write(SCENARIO, f"# {loaded.source.name} as run, overrides applied\n{text}")


def _copy_files(directory: RunDirectory, data: Any, source: Path) -> list[tuple[str, str]]:
    if isinstance(data, dict):
        # Keys that start with x- are the author's own: what looks like a file there may be none.
        own = {key for key in data if str(key).startswith("x-")}
        found = [
            pair for key, value in data.items() if key not in own for pair in _copy_files(directory, value, source)
        ]
        if data.get("distribution") == "empirical":
            name = str(data["file"])
            directory.write(_stored_name(name), (source / name).read_bytes())
            found.append((name, _stored_name(name)))
        return found
    return [pair for item in data for pair in _copy_files(directory, item, source)] if isinstance(data, list) else []


def _stored_name(name: str) -> str:
    path = Path(name)
    return path.name if path.is_absolute() or ".." in path.parts else path.as_posix()


def _with_names(data: Any, renamed: dict[str, str]) -> Any:
    if isinstance(data, dict):
        inner = {key: _with_names(value, renamed) for key, value in data.items()}
        known = inner.get("distribution") == "empirical" and inner.get("file") in renamed
        return {**inner, "file": renamed[inner["file"]]} if known else inner
    return [_with_names(item, renamed) for item in data] if isinstance(data, list) else data
