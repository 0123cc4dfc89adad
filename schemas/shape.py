"""The shape of a scenario: the JSON Schema applied, its errors in the words of someone who writes a scenario."""

import difflib
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from schemas.document import Document, Where
from schemas.errors import Problem

DIRECTORY = Path(__file__).parent

Schema = dict[str, Any]


@cache
def read_schema(name: str) -> Schema:
    """The JSON Schema `schemas/<name>.schema.json`."""
    schema: Schema = json.loads((DIRECTORY / f"{name}.schema.json").read_text(encoding="utf-8"))
    return schema


def did_you_mean(word: str, words: Iterator[str] | list[str]) -> str:
    """`did you mean …?` for the nearest of `words`, or the words themselves when none is near."""
    known = sorted(words)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"write one of: {', '.join(known)}"


def shape_problems(document: Document) -> list[Problem]:
    """Everything in which `document` differs from the shape of a scenario; values that YAML garbled are passed over."""
    garbled = {problem.where for problem in document.problems}
    validator = Draft202012Validator(read_schema("scenario"))
    problems = [problem for error in validator.iter_errors(document.data) for problem in _problems(document, error)]
    return [problem for problem in problems if problem.where not in garbled]


def _problems(document: Document, error: ValidationError) -> Iterator[Problem]:
    where: Where = tuple(error.absolute_path)
    describe = _DESCRIBE.get(str(error.validator))
    if describe is None:
        yield document.problem(where, error.message, "see `soak schema`")
        return
    for inner, what, remedy in describe(error):
        yield document.problem((*where, *inner), what, remedy, at_key=bool(inner))


Finding = tuple[Where, str, str]


def _schema(error: Any) -> Schema:
    schema = error.schema
    return schema if isinstance(schema, dict) else {}


def _extra_keys(error: Any) -> Iterator[Finding]:
    schema = _schema(error)
    known = list(schema.get("properties", {}))
    for key in error.instance:
        if key in known or key.startswith("x-"):
            continue
        if "title" not in schema or schema["title"] in {"objective", "Soak scenario"}:
            yield (key,), f"unknown key {key!r}", did_you_mean(key, known)
        elif key in _keys_of_variants():
            kind = error.instance.get("distribution") or error.instance.get("type")
            others = [other for other in known if other not in {"name", "type", "distribution"}]
            yield (key,), f"key {key!r} does not go with {kind}", f"remove it; {kind} takes {', '.join(others)}"


def _keys_of_variants() -> set[str]:
    """The keys of the mappings that the schema checks by variant."""
    definitions = read_schema("scenario")["$defs"]
    return set(definitions["fault"]["properties"]) | set(definitions["distribution"]["properties"])


def _missing_keys(error: Any) -> Iterator[Finding]:
    for key in error.validator_value:
        if key not in error.instance and repr(key) == error.message.split(" is a required")[0]:
            kind = error.instance.get("distribution") or error.instance.get("type") or ""
            needs = f"{kind} needs " if kind and _schema(error).get("title") else "needs "
            yield (), f"{needs}the key {key!r}", f"add {key}: {_example_of(error, key)}"


def _example_of(error: Any, key: str) -> str:
    schema = _schema(error).get("properties", {}).get(key)
    if not isinstance(schema, dict):
        definitions = read_schema("scenario")["$defs"]
        schema = {**definitions["fault"]["properties"], **definitions["distribution"]["properties"]}.get(key, {})
    return _example(_resolve(schema)) or "…"


def _resolve(schema: Schema) -> Schema:
    while "$ref" in schema:
        target: Any = read_schema("scenario")
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _example(schema: Schema) -> str:
    return str(schema["examples"][0]) if schema.get("examples") else ""


def _examples(schema: Schema) -> str:
    examples = [str(example) for example in schema.get("examples", [])][:3]
    return " or ".join((", ".join(examples[:-1]), examples[-1])) if len(examples) > 1 else "".join(examples)


def _wrong_type(error: Any) -> Iterator[Finding]:
    schema = _schema(error)
    title = schema.get("title", "")
    value = error.instance
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and title in {"duration", "duration above zero", "rate"}
    ):
        yield (), f"{value} has no unit", f"write a {title.split()[0]} such as {_examples(schema)}"
    else:
        wanted = title or _TYPE_NAMES.get(str(error.validator_value), "one of " + str(error.validator_value))
        example = f" such as {_examples(schema)}" if schema.get("examples") else ""
        yield (), f"{_show(value)} is not {_article(wanted)}", f"write {_article(wanted)}{example}"


_TYPE_NAMES = {
    "object": "mapping",
    "array": "list",
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
}


def _article(words: str) -> str:
    if words in {"text", "true or false"}:
        return words
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _show(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return repr(value) if isinstance(value, str) else json.dumps(value)


def _pattern(error: Any) -> Iterator[Finding]:
    schema = _schema(error)
    title = schema.get("title") or "name of letters, digits, `_`, `.` and `-`"
    example = f" such as {_examples(schema)}" if schema.get("examples") else ""
    yield (), f"{_show(error.instance)} is not {_article(title)}", f"write {_article(title)}{example}"


def _enum(error: Any) -> Iterator[Finding]:
    words = [str(word) for word in error.validator_value]
    yield (), f"unknown value {_show(error.instance)}", did_you_mean(str(error.instance), words)


def _const(error: Any) -> Iterator[Finding]:
    yield (), f"unknown version {_show(error.instance)}", f"this release reads version: {error.validator_value}"


def _bound(error: Any) -> Iterator[Finding]:
    side = "below" if "inimum" in str(error.validator) else "above"
    least = "least" if side == "below" else "most"
    yield (), f"{_show(error.instance)} is {side} {error.validator_value}", f"write {error.validator_value} at {least}"


def _length(error: Any) -> Iterator[Finding]:
    amount = "too few" if "min" in str(error.validator) else "too many"
    what = "is empty" if not error.instance else f"has {amount} entries"
    yield (
        (),
        f"{_show(error.instance)} {what}",
        f"{'write at least' if amount == 'too few' else 'keep'} {error.validator_value}",
    )


def _not_unique(error: Any) -> Iterator[Finding]:
    yield (), "an entry stands twice", "keep one"


def _dependent(error: Any) -> Iterator[Finding]:
    for key, needed in error.validator_value.items():
        for other in needed:
            if key in error.instance and other not in error.instance and repr(other) in error.message:
                yield (), f"has {key!r} but no {other!r}", f"add {other}: {_example_of(error, other)}"


_DESCRIBE: dict[str, Callable[[Any], Iterator[Finding]]] = {
    "additionalProperties": _extra_keys,
    "required": _missing_keys,
    "type": _wrong_type,
    "pattern": _pattern,
    "enum": _enum,
    "const": _const,
    "minimum": _bound,
    "maximum": _bound,
    "minItems": _length,
    "maxItems": _length,
    "minLength": _length,
    "minProperties": _length,
    "uniqueItems": _not_unique,
    "dependentRequired": _dependent,
}


def with_defaults(data: Any, schema: Schema | None = None) -> Any:
    """`data` with every default of the schema filled in; `data` itself is left as it was."""
    schema = _resolve(read_schema("scenario") if schema is None else schema)
    if isinstance(data, dict):
        properties = schema.get("properties", {})
        filled = {
            key: with_defaults(value, properties[key]) if key in properties else value for key, value in data.items()
        }
        for key, inner in properties.items():
            resolved = _resolve(inner) if isinstance(inner, dict) else {}
            if key not in filled and "default" in resolved:
                filled[key] = with_defaults(resolved["default"], resolved)
        return filled
    if isinstance(data, list) and isinstance(schema.get("items"), dict):
        return [with_defaults(item, schema["items"]) for item in data]
    return data
