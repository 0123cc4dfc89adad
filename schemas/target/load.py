"""A target file to typed data, or to all its problems."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from soak.schemas.conformity import Schema
from soak.schemas.errors import ScenarioError
from soak.schemas.files import folder_of
from soak.schemas.language.document import Document, read_document
from soak.schemas.language.schema import read_schema
from soak.schemas.language.shape import shape_problems, with_defaults
from soak.schemas.target.build import build_target
from soak.schemas.target.checks import problems
from soak.schemas.target.model import TargetFile
from soak.schemas.target.options import Given, option_problems, put_in, values_of

SUFFIXES = (".yaml", ".yml")
"""What the name of a target file ends in."""


@dataclass(frozen=True, slots=True)
class LoadedTarget:
    """A target file, and what it was read from. folder: what its relative paths start from, `{here}`.

    content: the file, and the options given as comments at its end. options: those given, by name.
    """

    file: TargetFile
    folder: Path
    content: bytes
    document: Document = field(compare=False, repr=False)
    options: Given = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Hash of the content."""
        import hashlib

        return hashlib.sha256(self.content).hexdigest()


def load_target(path: Path, options: Given | None = None) -> LoadedTarget:
    """The target file at `path`, with the options that were given.

    Raises ScenarioError with every problem of the file and of the options, and UsageError when it cannot be read.
    """
    return loaded_from(read_document(path, "target"), path, options)


def loaded_from(document: Document, path: Path, options: Given | None = None) -> LoadedTarget:
    """The target file in a document that was read from `path`; its data are changed. Raises ScenarioError."""
    folder, schema, given = folder_of(path), target_schema(), options or {}
    if isinstance(document.data, dict) and "workload" in document.data:
        what, remedy = "is a scenario, not a target file", "give it in front of --target"
        raise ScenarioError([document.problem(("workload",), what, remedy, at_key=True)])
    values = values_of(document, given)
    put_in(document, values, schema)
    found = document.problems + shape_problems(document, schema=schema)
    if not found:
        found = list(problems(document))
    found += option_problems(document, given)
    if found:
        raise ScenarioError(found)
    content = document.content + _as_comments(given)
    return LoadedTarget(build_target(_completed(document.data, schema), values), folder, content, document, given)


def _as_comments(options: Given) -> bytes:
    """Options as they are kept with the file: the lines of the file stay where they are."""
    lines = [f"# --option {json.dumps(f'{name}={value}', ensure_ascii=False)}" for name, value in options.items()]
    return "".join(f"\n{line}" for line in lines).encode()


def _completed(data: Any, schema: Schema) -> Any:
    """`data` with the defaults of the schema, those of entries under names of the author's own too."""
    filled = with_defaults(data, schema)
    if isinstance(filled, list):
        return [_completed(each, schema["items"]) for each in filled] if "items" in schema else filled
    if not isinstance(filled, dict):
        return filled
    inside, others = schema.get("properties", {}), schema.get("additionalProperties")
    entry = others if isinstance(others, dict) else {}
    return {key: _completed(value, inside.get(key, entry)) for key, value in filled.items()}


@cache
def target_schema() -> Schema:
    """The schema of target files, with every definition in the places that refer to it."""
    schema = read_schema("target")
    whole: Schema = _inlined(schema, schema["$defs"])
    return {key: value for key, value in whole.items() if key != "$defs"}


def _inlined(value: Any, definitions: Schema) -> Any:
    if isinstance(value, list):
        return [_inlined(each, definitions) for each in value]
    if not isinstance(value, dict):
        return value
    if isinstance(name := value.get("$ref"), str):
        value = {**definitions[name.removeprefix("#/$defs/")], **{k: v for k, v in value.items() if k != "$ref"}}
    return {key: _inlined(each, definitions) for key, each in value.items()}
