"""JSON Schemas, as they are read; that of a scenario is composed of a core and a fragment for each system.

A fragment is a JSON object. `description`: of the system, in a sentence. `properties`: its own keys at the top of a scenario,
and `tier` what they may hold in a tier; `required` names those that it cannot do without. `task`: keys of `workload.task`.
`kind`: keys of a kind of work. `fault`: keys of a fault. `faults`: by type a `description`, what a fault of it `takes`, the
name of a definition, and with `own_times` that this says itself which of `at`, `every` and `for` go together. `$defs`:
definitions.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soak.schemas.conformity import Schema
from soak.schemas.errors import reason
from soak.schemas.files import DIRECTORY
from soak.schemas.language.faults import TELEMETRY_LOSS
from soak.schemas.language.registry import OURS, BrokenSystemError, known, language_of
from soak.schemas.language.room import COLUMNS
from soak.schemas.language.slis import EVERY_SYSTEM

if TYPE_CHECKING:
    from soak.schemas.language.room import Language, Minutes

_CORE = DIRECTORY / "language" / "scenario.schema.json"
_PARTS = frozenset({"description", "properties", "tier", "required", "task", "kind", "fault", "faults", "$defs"})
_AFTER_OWN_KEYS = "phases"
"""The key at the top of a scenario after which those of the systems come."""

_BY_TIME = "fault_by_time"


def read_schema(name: str) -> Schema:
    """The JSON Schema of this name; that of a scenario holds what every system that is in use adds to it."""
    return _scenario(known()) if name == "scenario" else _read(DIRECTORY / f"{name}.schema.json")


@cache
def _read(path: Path) -> Schema:
    schema: Schema = json.loads(path.read_text(encoding="utf-8"))
    return schema


def resolve(schema: Schema) -> Schema:
    """A schema with what it refers to."""
    while "$ref" in schema:
        target: Any = read_schema("scenario")
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def own_keys(system: str) -> tuple[str, ...]:
    """The keys at the top of a scenario that go with one system only."""
    return tuple(fragment(system).get("properties", {}))


def task_keys(system: str) -> tuple[str, ...]:
    """The keys of `workload.task` that go with one system only."""
    return tuple(fragment(system).get("task", {}))


def kind_keys(system: str) -> tuple[str, ...]:
    """The keys of a kind of work that go with one system only."""
    return tuple(fragment(system).get("kind", {}))


def fault_keys(system: str) -> tuple[str, ...]:
    """The keys of a fault that go with one system only."""
    return tuple(fragment(system).get("fault", {}))


@cache
def fragment(system: str) -> Schema:
    """What a system adds to the schema. Raises UsageError when the file is not there or is not a fragment."""
    if system in OURS:
        return _read(DIRECTORY / "systems" / system / "language.json")
    path = language_of(system).fragment
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else "is not JSON"
        raise BrokenSystemError(system, f"{path.name}: {why}", "fix the fragment of its schema") from None
    parts = found if isinstance(found, dict) else {}
    wrong = [key for key, value in parts.items() if key not in _PARTS or not isinstance(value, _KIND.get(key, dict))]
    wrong += ["required"] if not all(isinstance(key, str) for key in parts.get("required", ())) else []
    if wrong or not parts:
        what = f"{', '.join(wrong) or path.name} is not part of a fragment of a schema"
        raise BrokenSystemError(system, f"{path.name}: {what}", f"it holds {', '.join(sorted(_PARTS))}")
    return parts


def check(system: str) -> None:
    """Whether a system's part of the language goes together with the others. Raises UsageError that says why not."""
    _check_names(system)
    _check_schema(system)


def _check_schema(system: str) -> None:
    """Raises UsageError where the fragment makes no JSON Schema with the others."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        schema = _scenario((*known(), system))
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(map(str, error.absolute_path))
        raise BrokenSystemError(system, f"its fragment makes no JSON Schema at {where}", "fix the fragment") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise BrokenSystemError(system, f"its fragment lacks {error}", "fix the fragment") from None
    for reference in _references(schema):
        if wrong := _leads_nowhere(schema, reference):
            raise BrokenSystemError(system, f"its fragment refers to {reference}, which {wrong}", "fix the fragment")


def _check_names(system: str) -> None:
    """Raises UsageError where the fragment and the tables of a system do not have the same names, or names are taken."""
    part, language = fragment(system), language_of(system)
    for what in (*_wrong_faults(system, part, language), *_wrong_slis(language), *_wrong_columns(language.minutes)):
        raise BrokenSystemError(system, what)
    for key in part.get("required", ()):
        if key not in part.get("properties", {}):
            raise BrokenSystemError(system, f"{key!r} is required, but no key of it")


def _wrong_faults(system: str, part: Schema, language: "Language") -> Iterator[str]:
    others = {type_ for name in known() if name != system for type_ in fragment(name).get("faults", {})}
    faults, table = set(part.get("faults", {})), set(language.faults) - {TELEMETRY_LOSS}
    yield from (f"the fault {name!r} is taken already" for name in sorted(faults & (others | {TELEMETRY_LOSS})))
    yield from (f"the fault {name!r} is in its fragment or in its table only" for name in sorted(faults ^ table))


def _wrong_slis(language: "Language") -> Iterator[str]:
    """A gate names an indicator without a system: one of a name of ours has to be read as ours."""
    every = {sli.name: sli for sli in EVERY_SYSTEM}
    ours = {sli.name: sli for name in OURS for sli in language_of(name).slis.values()} | every
    for name, sli in language.slis.items():
        own = ours.get(name)
        if sli.name != name:
            yield f"the SLI {name!r} calls itself {sli.name!r}"
        elif own and name in every and sli != own:
            yield f"the SLI {name!r} is one of every system, and not as it is there"
        elif own and (sli.unit, sli.better) != (own.unit, own.better):
            yield f"the SLI {name!r} has another unit or direction than that of soak"
    for name in language.headline.values():
        if name not in language.slis:
            yield f"there is no SLI {name!r} for its headline"


def _wrong_columns(minutes: "Minutes") -> Iterator[str]:
    for name, times in Counter((*COLUMNS, *minutes.columns)).items():
        if times > 1:
            yield f"metrics.csv has a second column {name!r}"
        elif not name.isidentifier():
            yield f"a column of metrics.csv is called {name!r}, which is not a word"


def _references(schema: Any) -> Iterator[str]:
    for key, value in schema.items() if isinstance(schema, dict) else enumerate(schema):
        if isinstance(value, dict | list):
            yield from _references(value)
        elif key == "$ref":
            yield value


def _leads_nowhere(schema: Schema, reference: str) -> str:
    """What is wrong with a reference; empty where it comes to a definition in the end."""
    seen, found = set[str](), {"$ref": reference}
    while "$ref" in found:
        if found["$ref"] in seen:
            return "refers to itself"
        seen.add(found["$ref"])
        found = _target(schema, found["$ref"])
        if not isinstance(found, dict):
            return "is not there"
    return ""


def _target(schema: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        if not isinstance(schema, dict) or step not in schema:
            return None
        schema = schema[step]
    return schema


_KIND: Mapping[str, type] = {"description": str, "required": list}


@cache
def _scenario(systems: tuple[str, ...]) -> Schema:
    """The core with the fragments of these systems."""
    core: Schema = json.loads(_CORE.read_text(encoding="utf-8"))
    fragments = {name: fragment(name) for name in systems}
    definitions = core["$defs"]
    properties: Schema = {}
    for key, value in core["properties"].items():
        properties[key] = value
        if key == _AFTER_OWN_KEYS:
            _add(properties, fragments, "properties", core["properties"])
    _add(definitions["overrides"]["properties"], fragments, "tier")
    _add(definitions["workload"]["properties"]["task"]["properties"], fragments, "task")
    _add(definitions["kind"]["properties"]["task"]["properties"], fragments, "task")
    _add(definitions["kind"]["properties"], fragments, "kind")
    _add(definitions["fault"]["properties"], fragments, "fault")
    _add(definitions, fragments, "$defs")
    system = {**properties["system"], "enum": list(systems)}
    told = "; ".join(each["description"] for each in fragments.values() if each.get("description"))
    system["description"] = f"{system['description']}: {told}."
    properties["system"] = {"description": system.pop("description"), **system}
    _compose_faults(definitions["fault"], core.pop("faults"), fragments)
    if set(systems) != set(OURS):
        core.pop("$id")  # it names the schema that is published
    return {**core, "properties": properties}


def _add(into: Schema, fragments: Mapping[str, Schema], part: str, taken: Schema | None = None) -> None:
    """Raises UsageError for a key that is there already."""
    for name, each in fragments.items():
        for key, value in each.get(part, {}).items():
            if key in into or key in (taken or {}):
                raise BrokenSystemError(name, f"{part}: {key!r} is taken already", "choose another name")
            into[key] = value


def _compose_faults(fault: Schema, of_any: Schema, fragments: Mapping[str, Schema]) -> None:
    """The types of faults: which there are, what each means, and which keys go with it."""
    tables = {name: each.get("faults", {}) for name, each in fragments.items()}
    types = list(dict.fromkeys([*(type_ for table in tables.values() for type_ in table), *of_any]))
    sentences = [_described(of_any)]
    for place, (name, table) in enumerate(tables.items()):
        told = _described(table)
        sentences.append(f"Of the system {name}: {told}" if place else told)
    takes: dict[str, list[str]] = {}
    for table in (*tables.values(), of_any):
        for type_, each in table.items():
            if "takes" in each and type_ not in takes.setdefault(each["takes"], []):
                takes[each["takes"]].append(type_)
    own_times = [type_ for table in tables.values() for type_, each in table.items() if each.get("own_times")]
    by_time = takes.pop(_BY_TIME, [])
    fault["properties"]["type"] = {
        "description": " ".join([sentences[1], sentences[0], *sentences[2:]]),
        "enum": types,
        **fault["properties"]["type"],
    }
    fault["allOf"] = [_rule(name, of) for name, of in takes.items()]
    lasts: Schema = {"dependentRequired": {"at": ["for"], "every": ["for"]}}
    # Only of types that exist: what is wrong with a misspelt one is its spelling.
    others = [type_ for type_ in types if type_ not in {*own_times, *by_time}]
    fault["allOf"].append({**_rule(_BY_TIME, by_time), "else": {"if": _of_type(others), "then": lasts}})


def _described(table: Schema) -> str:
    return " ".join(f"{type_}: {each['description']}." for type_, each in table.items())


def _rule(name: str, types: list[str]) -> Schema:
    return {"if": _of_type(types), "then": {"$ref": f"#/$defs/{name}"}}


def _of_type(types: list[str]) -> Schema:
    chosen = {"enum": types} if len(types) > 1 else {"const": types[0]}
    return {"required": ["type"], "properties": {"type": chosen}}


def written(schema: Schema) -> str:
    """A schema as it stands in a file, where it also says what editors are to show for a text of another form."""
    return json.dumps(_for_editors(schema), indent=2, ensure_ascii=False) + "\n"


def _for_editors(part: Any) -> Any:
    """`patternErrorMessage` is read by the language servers for JSON and YAML; others show the pattern itself."""
    if isinstance(part, list):
        return [_for_editors(each) for each in part]
    if not isinstance(part, dict):
        return part
    found = {key: _for_editors(value) for key, value in part.items()}
    if isinstance(part.get("pattern"), str) and isinstance(part.get("title"), str):
        examples = [str(each) for each in part.get("examples", ()) if isinstance(each, str | int | float)][:3]
        found["patternErrorMessage"] = f"expected: {part['title']}{', such as ' * bool(examples)}{', '.join(examples)}"
    return found
