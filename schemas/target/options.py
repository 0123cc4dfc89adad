"""Options of a target file, `{option.NAME}`: their values put in before anything else is looked at."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from soak.schemas.braces import filled_known
from soak.schemas.conformity import Schema
from soak.schemas.errors import Problem, ScenarioError, quoted
from soak.schemas.language.document import Document, parse_document
from soak.schemas.language.shape import did_you_mean
from soak.schemas.target.environments import ENVIRONMENT, interpreter
from soak.schemas.target.templates import OPTION

KEY = "options"

Given: TypeAlias = Mapping[str, str]
"""Values of options by name, as the command line has them."""


def option_problems(document: Document, given: Given) -> Iterator[Problem]:
    """What is wrong with options that were given, and which are missing, of a document whose `options` are of the right shape."""
    known = _options(document)
    for name, value in given.items():
        said = f"--option {name}={value}"
        if name not in known:
            remedy = did_you_mean(name, list(known)) if known else "remove it"
            yield Problem(said, 0, 0, "", f"{document.source} has no option {quoted(name)}", remedy)
        elif (choices := known[name].get("choices")) and value not in (words := [text_of(each) for each in choices]):
            yield Problem(said, 0, 0, "", f"{quoted(value)} is not one of its choices", did_you_mean(value, words))
    for name, each in known.items():
        if name not in given and "default" not in each:
            about = f": {each['description']}" if each.get("description") else ""
            what = f"the option {quoted(name)} must be given{about}"
            yield document.problem((KEY, name), what, f"add --option {name}=VALUE", at_key=True)


def put_in(document: Document, options: Given, schema: Schema) -> None:
    """Replace `{option.NAME}` everywhere in the data of a document by its value.

    A text that is nothing else becomes what the value is in YAML, where `schema` does not ask for text.
    """
    values = {OPTION + option: value for option, value in options.items()}
    if values and isinstance(document.data, dict):
        document.data = {
            key: value if key == KEY or key.startswith("x-") else _put(value, values, _inside(schema, key))
            for key, value in document.data.items()
        }


def values_of(document: Document, given: Given) -> dict[str, str]:
    """The value of each option that has one: what was given, or its default, which may refer to options before it."""
    values: dict[str, str] = {}
    name = _environment(document.data)
    for option, each in _options(document).items():
        if option in given:
            values[option] = given[option]
        elif "default" in each:
            known = {OPTION + other: value for other, value in values.items()}
            values[option] = filled_known(text_of(each["default"]), {**known, ENVIRONMENT: interpreter(name)})
    return values


def _options(document: Document) -> Mapping[str, Mapping[str, Any]]:
    """The options of a document, as far as they are of the right shape."""
    data: Any = document.data
    found = data.get(KEY) if isinstance(data, dict) else None
    return {name: each for name, each in found.items() if isinstance(each, dict)} if isinstance(found, dict) else {}


def _environment(data: Any) -> str:
    """The name of the environment that `{env}` stands for."""
    needs = data.get("needs") if isinstance(data, dict) else None
    said = needs.get("env") if isinstance(needs, dict) else None
    return str(said or (data.get("name") if isinstance(data, dict) else ""))


def text_of(value: Any) -> str:
    """A value of an option, as it is written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _inside(schema: Schema, key: str) -> Schema:
    others = schema.get("additionalProperties")
    found = schema.get("properties", {}).get(key, others if isinstance(others, dict) else {})
    return found if isinstance(found, dict) else {}


def _put(value: Any, values: Mapping[str, str], schema: Schema) -> Any:
    if isinstance(value, str):
        whole = values.get(value[1:-1]) if value[:1] == "{" and value[-1:] == "}" else None
        return filled_known(value, values) if whole is None or _is_text(schema) else _read(whole)
    if isinstance(value, list):
        return [_put(each, values, schema.get("items", {})) for each in value]
    if isinstance(value, dict):
        return {key: _put(each, values, _inside(schema, key)) for key, each in value.items()}
    return value


def _is_text(schema: Schema) -> bool:
    kinds = schema.get("type", ())
    return "string" in ([kinds] if isinstance(kinds, str) else kinds)


def _read(text: str) -> Any:
    """What a text is in YAML; itself, where it is none."""
    try:
        read = parse_document(text, "")
    except ScenarioError:
        return text
    return text if read.problems or read.data is None else read.data


def option_checks(document: Document) -> Iterator[Problem]:
    """What can be wrong with the options of a target file, of a document whose shape is right."""
    for name, each in _options(document).items():
        words = [text_of(value) for value in each.get("choices", ())]
        if words and "default" in each and text_of(each["default"]) not in words:
            what = f"{quoted(text_of(each['default']))} is not one of the choices"
            yield document.problem((KEY, name, "default"), what, did_you_mean(text_of(each["default"]), words))
