"""Overrides of a scenario: tiers (`--tier nightly`) and single values (`--set queue.workers=2`)."""

import copy
from collections.abc import Sequence

from schemas.document import Data, Document, Mark, Where, parse_document, show_path
from schemas.errors import Problem, ScenarioError
from schemas.shape import did_you_mean


def apply_tier(document: Document, tier: str) -> Document:
    """`document` with the overrides of one of its tiers merged in. Raises ScenarioError when it has no such tier."""
    tiers = document.data.get("tiers") if isinstance(document.data, dict) else None
    known = tiers if isinstance(tiers, dict) else {}
    if tier not in known:
        remedy = did_you_mean(tier, list(known)) if known else "the scenario declares no tiers"
        raise ScenarioError([document.problem(("tiers",), f"no tier {tier!r}", remedy)])
    result = _copy(document)
    _merge(result, (), known[tier], ("tiers", tier))
    return result


def _copy(document: Document) -> Document:
    return Document(
        document.source,
        copy.deepcopy(document.data),
        dict(document.marks),
        dict(document.keys),
        list(document.problems),
    )


def _merge(document: Document, where: Where, override: Data, origin: Where) -> None:
    """Merge `override`, which stands at `origin`, into the value at `where`: mappings key by key, all else replaced."""
    if where and origin in document.keys:
        document.keys[where] = document.keys[origin]
    current = _get(document.data, where)
    if isinstance(override, dict) and isinstance(current, dict):
        for key, value in override.items():
            _merge(document, (*where, key), value, (*origin, key))
        return
    document.data = _put(document.data, where, copy.deepcopy(override))
    for place, mark in list(document.marks.items()):
        if place[: len(origin)] == origin:
            document.marks[(*where, *place[len(origin) :])] = mark
    for place, mark in list(document.keys.items()):
        if place[: len(origin)] == origin and len(place) > len(origin):
            document.keys[(*where, *place[len(origin) :])] = mark


def _get(data: Data, where: Where) -> Data:
    for step in where:
        if isinstance(data, dict) and isinstance(step, str):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def _put(data: Data, where: Where, value: Data) -> Data:
    if not where:
        return value
    head, rest = where[0], where[1:]
    if isinstance(head, int):
        assert isinstance(data, list)
        return [_put(item, rest, value) if index == head else item for index, item in enumerate(data)]
    mapping = dict(data) if isinstance(data, dict) else {}
    mapping[head] = _put(mapping.get(head), rest, value)
    return mapping


def apply_settings(document: Document, settings: Sequence[str]) -> Document:
    """`document` with every `a.b=value` put in. A list item is named by its index or its `name`. Raises ScenarioError."""
    result = _copy(document)
    problems: list[Problem] = []
    for setting in settings:
        try:
            _apply_setting(result, setting)
        except ScenarioError as error:
            problems += error.problems
    if problems:
        raise ScenarioError(problems)
    return result


def _apply_setting(document: Document, setting: str) -> None:
    source = f"--set {setting}"
    path, equals, text = setting.partition("=")
    if not equals or not path:
        raise ScenarioError([Problem(source, 0, 0, "", "is not KEY=VALUE", "write it like --set queue.workers=2")])
    value = parse_document(text, source)
    if value.problems:
        raise ScenarioError([Problem(source, 0, 0, path, problem.what, problem.remedy) for problem in value.problems])
    where = _locate(document, path, source)
    for place in [place for place in document.marks if place[: len(where)] == where]:
        del document.marks[place]
    document.data = _put(document.data, where, value.data)
    mark = Mark(source)
    document.marks[where] = document.keys[where] = mark
    for place in value.marks:
        document.marks[(*where, *place)] = mark
    for place in value.keys:
        document.keys[(*where, *place)] = mark


def _locate(document: Document, path: str, source: str) -> Where:
    where: Where = ()
    for word in path.split("."):
        here = _get(document.data, where)
        step: str | int = word
        if isinstance(here, list):
            names = [item.get("name") if isinstance(item, dict) else None for item in here]
            if word in names:
                step = names.index(word)
            elif word.isdigit() and int(word) < len(here):
                step = int(word)
            else:
                known = [str(name) for name in names if name] or [str(index) for index in range(len(here))]
                remedy = did_you_mean(word, known) if known else "the list is empty"
                raise ScenarioError([Problem(source, 0, 0, show_path(where), f"has no entry {word!r}", remedy)])
        elif here is not None and not isinstance(here, dict):
            raise ScenarioError(
                [
                    Problem(
                        source,
                        0,
                        0,
                        show_path((*where, step)),
                        f"{show_path(where)} is a single value",
                        "name a key that exists",
                    )
                ]
            )
        where = (*where, step)
    return where
