"""Validation against the JSON Schema, with errors in the terms of the scenario language."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from soak.schemas import units
from soak.schemas.conformity import DURATIONS, LONGEST_S, SHORTEST_S, Schema, conforms
from soak.schemas.errors import Problem, Where, quoted, shortened
from soak.schemas.language.document import Document
from soak.schemas.language.elsewhere import known_elsewhere
from soak.schemas.language.examples import example, examples, such_as
from soak.schemas.language.schema import read_schema, resolve

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

SECRETS = frozenset({"to", "password", "token"})
"""Keys whose value is the place of a secret."""

MAX_SUGGESTIONS, MAX_LISTED = 200, 40

_ONE_OF = "write one of:"


def did_you_mean(word: str, words: Iterator[str] | list[str]) -> str:
    """`did you mean …?` for the nearest of `words`, or the list of words if none is near."""
    known = sorted(words)[:MAX_SUGGESTIONS]
    near = nearest(word, known)
    if near is not None:
        return f"did you mean {quoted(near)}?"
    more = ", …" if len(known) > MAX_LISTED else ""
    return f"{_ONE_OF} {', '.join(map(shortened, known[:MAX_LISTED]))}{more}"


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The one of `words` that is nearest to `word`, if one is near."""
    import difflib

    known, turned = sorted(words), sorted(word.split("_"))
    for each in known if len(turned) > 1 else ():
        if sorted(each.split("_")) == turned:
            return each
    near = difflib.get_close_matches(word, known[:MAX_SUGGESTIONS], n=1, cutoff=0.6)
    return near[0] if near else None


def shape_problems(
    document: Document, only: Iterable[str] | None = None, *, schema: str | Schema = "scenario"
) -> list[Problem]:
    """All violations of the schema in `document`; values already reported as YAML problems are skipped.

    `schema`: another one, or its name; it may not refer to definitions. `only` checks these top-level keys: the others are
    known to be valid.
    """
    garbled = {problem.where for problem in document.problems}
    shape, data = read_schema(schema) if isinstance(schema, str) else schema, document.data
    if only is not None and isinstance(data, dict):
        shape, data = {**shape, "required": [], "anyOf": [{}]}, {key: data[key] for key in only if key in data}
    if conforms(data, shape):
        return []
    from soak.schemas.validator import Validator

    sections = ("object", "array")
    top = {key for key, each in shape.get("properties", {}).items() if resolve(each).get("type") in sections}
    problems = [problem for error in Validator(shape).iter_errors(data) for problem in _problems(document, error, top)]
    return [problem for problem in problems if problem.where not in garbled]


def _problems(document: Document, error: "ValidationError", top: set[str]) -> Iterator[Problem]:
    """What an error says; `top`: the sections of the top level."""
    where: Where = tuple(error.absolute_path)
    describe = _DESCRIBE.get(str(error.validator))
    if describe is None:
        yield document.problem(where, f"violates {error.validator} of the schema", "see `soak schema`")
        return
    for inner, what, remedy in describe(error):
        misplaced = where and inner and inner[0] in top and remedy.startswith(_ONE_OF)
        hint = f"{inner[0]} belongs to the top level: move it there" if misplaced else remedy
        said = what.replace(_show(error.instance), "the value") if _may_be_secret(error) else what
        yield document.problem((*where, *inner), said, hint, at_key=bool(inner))


def _may_be_secret(error: Any) -> bool:
    """Whether the value may be a secret, written where its place or a URL belongs."""
    where = list(error.absolute_path)
    return ("workload" not in where and not SECRETS.isdisjoint(where)) or _schema(error).get("title") == "URL"


Finding = tuple[Where, str, str]


def _schema(error: Any) -> Schema:
    schema = error.schema
    return schema if isinstance(schema, dict) else {}


_WITH_KEYS = {
    "objective",
    "Soak scenario",
    "Soak gate",
    "Soak target",
    "list of waits, or a mapping",
    "mapping, or true",
    "promise",
}
"""Titles of mappings whose keys are not those of a variant."""


def _extra_keys(error: Any) -> Iterator[Finding]:
    schema = _schema(error)
    known = list(schema.get("properties", {}))
    for key in error.instance:
        if key in known or (key.startswith("x-") and not error.absolute_path):
            continue
        if "title" not in schema or schema["title"] in _WITH_KEYS:
            own = key.startswith("x-")
            here = known_elsewhere(key, error.instance, known) or did_you_mean(key, known)
            remedy = "x- keys are allowed at the top level only" if own else here
            yield (key,), f"unknown key {quoted(key)}", remedy
        elif key in _keys_of_variants():
            kind = _variant(error)
            others = [other for other in known if other not in {"name", "type", "distribution"}]
            yield (key,), f"key {key!r} is not allowed with {kind}", f"remove it; {kind} takes {', '.join(others)}"


def _variant(error: Any) -> str:
    """The type of fault or export, or the distribution, of a mapping; empty if it has none."""
    title = _schema(error).get("title", "")
    if title == "this type":
        return str(error.instance["type"])
    return (
        title if title in read_schema("scenario")["$defs"]["distribution"]["properties"]["distribution"]["enum"] else ""
    )


def _keys_of_variants() -> set[str]:
    """The keys of the mappings that the schema checks by variant."""
    return set(_properties_of_variants())


def _properties_of_variants() -> Schema:
    definitions = read_schema("scenario")["$defs"]
    return {
        key: schema
        for name in ("export", "fault", "distribution")
        for key, schema in definitions[name]["properties"].items()
    }


def _missing_keys(error: Any) -> Iterator[Finding]:
    for key in error.validator_value:
        if not _stands_otherwise(key, error):
            yield (), f"{_variant(error)} needs the key {key!r}".lstrip(), f"add {key}: {_example_of(error, key)}"


def _missing_choice(error: Any) -> Iterator[Finding]:
    """None of several alternative keys is present: suggest the first. Or it is none of several kinds of values."""
    if "required" not in error.validator_value[0]:
        yield (), f"{_show(error.instance)} is not a value", f"write text or a number{such_as(_schema(error))}"
        return
    key, properties = error.validator_value[0]["required"][0], _schema(error)["properties"]
    if not any(nearest(other, list(properties)) == key for other in error.instance if other not in properties):
        yield (), f"needs the key {key!r}", f"add {key}: {example(properties[key])}"


def _stands_otherwise(key: str, error: Any) -> bool:
    """Whether a missing key was misspelled, or is the parameter of another distribution, which is reported separately."""
    known = list(_schema(error).get("properties", {}))
    extra = [other for other in error.instance if other not in known]
    foreign = _variant(error) == error.instance.get("distribution") and not _keys_of_variants().isdisjoint(extra)
    return foreign or any(nearest(other, known) == key for other in extra)


def _example_of(error: Any, key: str) -> str:
    schema = _schema(error).get("properties", {}).get(key)
    if not isinstance(schema, dict):
        schema = _properties_of_variants().get(key, {})
    return example(schema)


def _wrong_type(error: Any) -> Iterator[Finding]:
    schema = _schema(error)
    title = schema.get("title", "")
    value = error.instance
    if isinstance(value, int | float) and not isinstance(value, bool) and title in {*DURATIONS, "rate"}:
        yield (), f"{_show(value)} has no unit", f"write a {title.split()[0]} such as {examples(schema)}"
    elif error.validator_value == "object":
        yield (), f"{_show(value)} is not a mapping", f"write a mapping such as {example(schema)}"
    elif error.validator_value == "string" and not isinstance(value, list | dict) and title in _FREE_TEXT:
        yield (), f"{_show(value)} is not text", "put it in quotes"
    else:
        wanted = title or _TYPE_NAMES[str(error.validator_value)]
        none = ", or none" if "else" in error.schema_path else ""
        such = "" if wanted == "text" else such_as(schema)
        if wanted == "list" and not such:
            such = f" such as [{example(schema['items'])}]"
        quotes = ", without quotes" if wanted == "whole number" and isinstance(value, str) else ""
        yield (), f"{_show(value)} is not {_article(wanted)}", f"write {_article(wanted)}{such}{quotes}{none}"


_FREE_TEXT = {"", "line of text", "name of letters, digits, `_`, `.` and `-`"}
_TYPE_NAMES = {
    "array": "list",
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "boolean",
}


_JITTER = "kind of jitter"
_RATIO = "write a percentage such as 10%, or a number from 0 to 1 without quotes"


def _article(words: str) -> str:
    if words == "text":
        return words
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _show(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return quoted(value) if isinstance(value, str) else shortened(json.dumps(value))


def _pattern(error: Any) -> Iterator[Finding]:
    if re.fullmatch(error.validator_value, error.instance):
        short = units.duration(error.instance) < SHORTEST_S
        limit = f"{units.show_duration(SHORTEST_S)} at least" if short else f"{units.show_duration(LONGEST_S)} at most"
        yield (), f"{_show(error.instance)} is too {'short' if short else 'long'}", f"write {limit}"
        return
    title = _article(_schema(error)["title"])
    remedy = _RATIO if title == "a ratio" else f"write {title}{such_as(_schema(error))}"
    if "else" in error.schema_path:
        # What a pattern is the alternative to in our schemas is this word.
        remedy = f"{remedy}, or none"
    # A name that is a key is at its own path; everything else is a value.
    inner: Where = (error.instance,) if "propertyNames" in error.schema_path else ()
    yield inner, f"{_show(error.instance)} is not {title.partition(' of letters')[0]}", remedy


def _enum(error: Any) -> Iterator[Finding]:
    words = [str(word) for word in error.validator_value]
    single = not isinstance(error.instance, list | dict)
    what = f"unknown value {_show(error.instance)}" if single else f"{_show(error.instance)} is not a single value"
    yield (), what, did_you_mean(str(error.instance), words)


def _const(error: Any) -> Iterator[Finding]:
    yield (), f"unknown version {_show(error.instance)}", f"this release reads version: {error.validator_value}"


def _bound(error: Any) -> Iterator[Finding]:
    if _schema(error)["type"] == "integer" and isinstance(error.instance, float):
        return  # Wrong type: reported by that check.
    side, least = ("below", "least") if error.validator == "minimum" else ("above", "most")
    remedy = f"write {error.validator_value} at {least}"
    if _schema(error).get("title") == "ratio":
        remedy = _RATIO
    elif _schema(error).get("title") == _JITTER:
        remedy = f"write {_article(_JITTER)}{such_as(_schema(error))}"
    yield (), f"{_show(error.instance)} is {side} {error.validator_value}", remedy


def _length(error: Any) -> Iterator[Finding]:
    if error.instance and error.validator == "minItems":
        yield (), f"has {len(error.instance)} of at least {error.validator_value} entries", "add another"
    elif error.instance:
        yield (), f"has {len(error.instance):,} entries", f"keep {error.validator_value} at most"
    elif isinstance(error.instance, str):
        yield (), "is empty", f"write {_article(_schema(error).get('title') or 'text')}{such_as(_schema(error))}"
    else:
        yield (), "is empty", f"write at least one entry, such as {_first_entry(_schema(error))}"


def _first_entry(schema: Schema) -> str:
    return example(schema["items"]) if "items" in schema else example(schema).strip("{}")


def _not_unique(error: Any) -> Iterator[Finding]:
    yield (), "an entry is duplicated", "remove one"


def _dependent(error: Any) -> Iterator[Finding]:
    for key, needed in error.validator_value.items():
        for other in needed:
            yield (), f"has {key!r} but no {other!r}", f"add {other}: {_example_of(error, other)}"


_DESCRIBE: dict[str, Callable[[Any], Iterator[Finding]]] = {
    "additionalProperties": _extra_keys,
    "anyOf": _missing_choice,
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
    "maxProperties": _length,
    "uniqueItems": _not_unique,
    "dependentRequired": _dependent,
}


def with_defaults(data: Any, schema: Schema | None = None) -> Any:
    """`data` with every default of the schema filled in; `data` itself is left as it was."""
    schema = resolve(read_schema("scenario") if schema is None else schema)
    if isinstance(data, dict):
        properties = schema.get("properties", {})
        filled = {
            key: with_defaults(value, properties[key]) if key in properties else value for key, value in data.items()
        }
        for key, inner in properties.items():
            resolved = resolve(inner) if isinstance(inner, dict) else {}
            if key not in filled and "default" in resolved:
                filled[key] = with_defaults(resolved["default"], resolved)
        return filled
    if isinstance(data, list) and isinstance(schema.get("items"), dict):
        return [with_defaults(item, schema["items"]) for item in data]
    return data
