"""The smallest scenario that still shows something, found by leaving out one part after the other."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

from engines.frame import Data
from engines.generated import Generated

Place: TypeAlias = tuple[str | int, ...]

MOST_TRIES = 1500


def smaller(drawn: Generated, shows: Callable[[Generated], bool]) -> Generated:
    """Leave out keys and entries as long as `shows` holds; it is to be False for what is not a valid scenario."""
    tries, before = 0, None
    while before != drawn.data:
        before = drawn.data
        for place in _places(drawn.data):
            if tries == MOST_TRIES or not _is_there(drawn.data, place):
                continue
            tries += 1
            less = replace(drawn, data=_without(drawn.data, place))
            drawn = less if shows(less) else drawn
        for fewer in _fewer_tasks(drawn.data):
            less = replace(drawn, data=fewer)
            if shows(less):
                drawn = less
                break
    return drawn


def _places(data: Any, place: Place = ()) -> Iterator[Place]:
    """All places in a document, what holds others before these; entries of lists from the end."""
    entries = data.items() if isinstance(data, dict) else reversed([*enumerate(data)]) if isinstance(data, list) else ()
    for key, each in entries:
        yield (*place, key)
        yield from _places(each, (*place, key))


def _is_there(data: Any, place: Place) -> bool:
    try:
        for key in place:
            data = data[key]
    except (KeyError, IndexError, TypeError):
        return False
    return True


def _without(data: Data, place: Place) -> Data:
    found = copy.deepcopy(data)
    inner: Any = found
    for key in place[:-1]:
        inner = inner[key]
    del inner[place[-1]]
    return found


def _fewer_tasks(data: Data) -> Iterator[Data]:
    """The scenario with a number of tasks at most, the least first."""
    most = data["workload"].get("tasks", 1000)
    for tasks in (1, 2, 3, 5, 8, 13, 21, 40, 80, 160):
        if tasks < most:
            yield {**data, "workload": {**data["workload"], "tasks": tasks}}
