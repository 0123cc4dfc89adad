"""What waits for what."""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter


def circle(waits: Mapping[str, Sequence[str]]) -> list[str]:
    """A circle of names, of which each waits for the next one, its first again at the end; empty if there is none."""
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found[::-1]
    return []


def start_order(waits: Mapping[str, Sequence[str]]) -> list[str]:
    """The names so that each comes after those that it waits for, and otherwise in the order given. There is no circle."""
    done: list[str] = []
    left = list(waits)
    while left:
        ready = next(each for each in left if all(other in done for other in waits[each]))
        done.append(ready)
        left.remove(ready)
    return done
