"""Overrides of a scenario: tiers (`--tier nightly`), overlays (`--overlay FILE`), single values (`--set queue.workers=2`)."""

import copy
import re
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from soak.schemas.errors import Mark, Problem, ScenarioError, Where, quoted, shortened, show_path
from soak.schemas.language.document import Data, Document, parse_document
from soak.schemas.language.scalars import remedy_at
from soak.schemas.language.shape import did_you_mean


def apply_tier(document: Document, tier: str) -> Document:
    """`document` with the overrides of one of its tiers merged in. Raises ScenarioError if there is no such tier."""
    tiers = document.data.get("tiers") if isinstance(document.data, dict) else None
    known = tiers if isinstance(tiers, dict) else {}
    if tier not in known:
        remedy = did_you_mean(tier, list(known)) if known else "the scenario declares no tiers"
        raise ScenarioError([document.problem(("tiers",), f"no tier {quoted(tier)}", remedy)])
    result = _copy(document)
    if isinstance(known[tier], dict):
        _merge(result, (), known[tier], _Source(document, ("tiers", tier)))
    return result


def apply_overlay(document: Document, overlay: Document) -> Document:
    """`document` with an overlay merged in: mappings key by key, lists of named entries by name, all else replaced.

    A distribution of another type is replaced as a whole. Raises ScenarioError if the overlay is not a mapping, or
    contains YAML that is not allowed.
    """
    problems = list(overlay.problems)
    if not isinstance(overlay.data, dict):
        problems.append(overlay.problem((), "an overlay must be a mapping", "write it like queue: {workers: 2}"))
    if problems:
        raise ScenarioError(problems)
    result = _copy(document)
    _merge(result, (), overlay.data, _Source(overlay, (), by_name=True))
    return result


def lay_over(document: Document, file: Document) -> Document:
    """`document`, that of a fragment, with a file merged over it, as an overlay is; but lists at the top whose entries have no
    names are joined, those of `document` first."""
    result = _copy(document)
    _merge(result, (), file.data, _Source(file, (), by_name=True, joins=True))
    result.problems += file.problems
    return result


def _copy(document: Document) -> Document:
    return Document(
        document.source,
        copy.deepcopy(document.data),
        document.content,
        dict(document.marks),
        dict(document.keys),
        list(document.problems),
    )


class _Source(Struct, frozen=True):
    """Place of an override, whether list entries are merged by name, and whether other lists at the top are joined."""

    document: Document
    where: Where
    by_name: bool = False
    joins: bool = False

    def inside(self, step: str | int) -> "_Source":
        return replace(self, where=(*self.where, step))


def _merge(document: Document, where: Where, override: Data, source: _Source) -> None:
    """Merge `override` into the value at `where`: mappings key by key, lists by name if asked for, all else replaced."""
    current = _get(document.data, where)
    if isinstance(override, dict) and isinstance(current, dict) and not (source.by_name and _differ(current, override)):
        for key, value in override.items():
            _merge(document, (*where, key), value, source.inside(key))
        return
    if source.by_name and isinstance(override, list) and isinstance(current, list):
        names, changed = _names(current), _names(override)
        if names and changed:
            _merge_entries(document, where, names, changed, override, source)
            return
        if source.joins and len(where) == 1:
            for index, entry in enumerate(override):
                _merge(document, _added(document, where), entry, source.inside(index))
            return
    document.data = _put(document.data, where, copy.deepcopy(override))
    _forget(document, where, current)
    for inner in _places(override):
        for marks, theirs in ((document.marks, source.document.marks), (document.keys, source.document.keys)):
            if (*source.where, *inner) in theirs:
                marks[(*where, *inner)] = theirs[(*source.where, *inner)]


def _differ(current: dict[str, Data], override: dict[str, Data]) -> bool:
    """Whether two distributions have different types, so that their keys cannot be mixed."""
    return override.get("distribution", kind := current.get("distribution")) != kind


def _names(entries: list[Data]) -> list[str]:
    """The names of the entries of a list; empty unless every entry has one."""
    names = [entry.get("name") for entry in entries if isinstance(entry, dict)]
    known = [name for name in names if isinstance(name, str)]
    return known if len(known) == len(entries) else []


def _merge_entries(
    document: Document, where: Where, names: list[str], changed: list[str], override: list[Data], source: _Source
) -> None:
    """Merge each entry of a list into the one of the same name; new entries are appended."""
    known = list(names)
    for index, (name, entry) in enumerate(zip(changed, override, strict=True)):
        if name not in known:
            known.append(name)
            _added(document, where)
        _merge(document, (*where, known.index(name)), entry, source.inside(index))


def _added(document: Document, where: Where) -> Where:
    """The place of a new entry, still empty, at the end of a list."""
    entries = _get(document.data, where)
    assert isinstance(entries, list)
    document.data = _put(document.data, where, [*entries, None])
    return (*where, len(entries))


def _forget(document: Document, where: Where, value: Data) -> None:
    """Drop the positions of `value`, which was at `where`."""
    for inner in _places(value):
        document.marks.pop((*where, *inner), None)
        document.keys.pop((*where, *inner), None)


def _places(data: Data, where: Where = ()) -> Iterator[Where]:
    """The path of `data` and of every value in it."""
    yield where
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _places(value, (*where, key))


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


def apply_settings(document: Document, settings: Sequence[str], option: str = "--set") -> Document:
    """`document` with every `a.b=value` put in. A list entry is addressed by its index or its `name`. Raises ScenarioError.

    `option`: its name in messages.
    """
    result = _copy(document)
    problems: list[Problem] = []
    for setting in settings:
        try:
            _apply_setting(result, setting, option)
        except ScenarioError as error:
            problems += error.problems
    if problems:
        raise ScenarioError(problems)
    return result


def _apply_setting(document: Document, setting: str, option: str) -> None:
    mark = Mark(f"{option} {shortened(setting)}")
    path, equals, text = setting.partition("=")
    if not equals or not all(path.split(".")):
        raise ScenarioError([mark.problem((), "is not KEY=VALUE", f"write it like {option} queue.workers=2")])
    where = _locate(document, path, mark)
    value = _value(text, where, mark)
    _forget(document, where, _get(document.data, where))
    document.data = _put(document.data, where, value)
    # Every step of the path may be new.
    for place in (where[:length] for length in range(1, len(where))):
        document.marks.setdefault(place, mark)
        document.keys.setdefault(place, mark)
    for inner in _places(value):
        document.marks[(*where, *inner)] = document.keys[(*where, *inner)] = mark


def _value(text: str, where: Where, mark: Mark) -> Data:
    """The value of a setting. Raises ScenarioError, with problems that name the setting and no line."""
    if not text.strip() or text.lstrip().startswith("#"):
        raise ScenarioError([mark.problem(where, "has no value", "write one after the =, in quotes if it is text")])
    try:
        value = parse_document(text, mark.source)
        problems = tuple(value.problems)
    except ScenarioError as error:
        problems = error.problems
    if problems:
        placed = remedy_at(where, text.strip())
        raise ScenarioError([mark.problem(where, problem.what, placed or problem.remedy) for problem in problems])
    return value.data


def _locate(document: Document, path: str, mark: Mark) -> Where:
    where: Where = ()
    for word in path.split("."):
        here = _get(document.data, where)
        if isinstance(here, list):
            where = (*where, _index(here, word, where, mark))
        elif here is None or isinstance(here, dict):
            where = (*where, word)
        else:
            what = f"{show_path(where) or 'the scenario'} is a single value"
            raise ScenarioError([mark.problem((*where, word), what, "use an existing key")])
    return where


def _index(entries: list[Data], word: str, where: Where, mark: Mark) -> int:
    """The index of the entry `word`, a `name` or an index."""
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
    if word in names:
        return names.index(word)
    if re.fullmatch("[0-9]{1,6}", word) and int(word) < len(entries):
        return int(word)
    known = [str(name) for name in names if name] or [str(index) for index in range(len(entries))]
    remedy = did_you_mean(word, known) if known else "the list is empty"
    raise ScenarioError([mark.problem(where, f"has no entry {quoted(word)}", remedy)])
