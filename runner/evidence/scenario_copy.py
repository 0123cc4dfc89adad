"""The scenario as run, stored with the evidence so that it loads from there."""

from contextlib import suppress
from pathlib import PurePath
from typing import Any

import msgspec
import yaml

from soak.runner.evidence.directory import EVIDENCE, SCENARIO, TRACE, RunDirectory
from soak.schemas.files import Folders, file_name
from soak.schemas.language.csv_files import withheld
from soak.schemas.language.document import parse_document
from soak.schemas.language.load import Loaded
from soak.schemas.language.trace_build import record_of


class _Dumper(yaml.SafeDumper):
    """Writes text that the loader reads back as text."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Text that the loader would not read back as the same text is quoted.
    try:
        document = parse_document(f"{text}\n", "text")
        plain = document.data == text and not document.problems
    except Exception:
        plain = False
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)


_OF_OTHERS = 0o077
"""What others than its owner may do with a file."""


def store_scenario(directory: RunDirectory, loaded: Loaded) -> None:
    """Store the scenario as run, and the files it refers to, under their own names. Raises OutputError."""
    _copy_files(directory, loaded.data, loaded.folders)
    for each in loaded.scenario.http.data if loaded.scenario.http else ():
        directory.write(each.file, withheld(each.file, loaded.folders.read(each.file)))
    if (trace := loaded.scenario.workload.trace) is not None:
        file = loaded.data["workload"]["arrivals"]["trace"]["file"]
        directory.write(TRACE, msgspec.json.format(msgspec.json.encode(record_of(trace, file)), indent=0) + b"\n")
    if not loaded.overridden:
        directory.write(SCENARIO, loaded.content)
        return
    directory.write(SCENARIO, f"# {file_name(loaded.source)} as run, overrides applied\n{as_yaml(loaded.data)}")


def as_yaml(data: Any) -> str:
    """Data of a scenario as text that the loader reads back as the same data."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _copy_files(directory: RunDirectory, data: Any, folders: Folders) -> None:
    if isinstance(data, list):
        for item in data:
            _copy_files(directory, item, folders)
    elif isinstance(data, dict):
        if data.get("distribution") == "empirical":
            name = str(data["file"])
            directory.write(name, folders.read(name))
        for word in data["exec"] if isinstance(data.get("exec"), list) else ():
            _copy_named(directory, str(word), folders)
        for key, value in data.items():
            # x- keys are not interpreted: what looks like a file there may not be one.
            if not str(key).startswith("x-"):
                _copy_files(directory, value, folders)


def _copy_named(directory: RunDirectory, word: str, folders: Folders) -> None:
    """The file beside the scenario that a word of a command names, so that a run that is resumed has it, too."""
    named = PurePath(word)
    if named.is_absolute() or ".." in named.parts or word in EVIDENCE:
        return
    # Most words name no file, and may be too long for a name; what its owner alone may read may be a secret.
    with suppress(ValueError, OSError):
        place = folders.find(word)
        if place.is_file() and place.stat().st_mode & _OF_OTHERS and not directory.file(word).exists():
            directory.write(word, folders.read(word))
            directory.file(word).chmod(place.stat().st_mode & 0o777)
