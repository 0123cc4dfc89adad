"""Violations in a block: single cases that break an objective or a law, as a tracker notes them.

A tracker notes them only where there are some and someone asks (`Facts.wanted`; of laws always), so that a clean run pays
nothing. They belong to the facts of a block and not to the trackers: where a block is cut at an abort, what came after it was
never noted.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from msgspec import Struct

from soak.schemas.stream.block import Block, Ints
from soak.schemas.stream.events import task_name, worker_name

if TYPE_CHECKING:
    from soak.runner.judge.samples import Facts


def law(name: str) -> str:
    """Under which name the violations of a law are noted: laws and series may have the same names."""
    return f"law {name}"


def is_law(of: str) -> bool:
    """Whether violations are of a law, and not of a series, whose names have no blanks."""
    return of.startswith("law ")


class Told(NamedTuple):
    """What is said of one violation: the state before and after it (or what ran where), and what else is known.

    part: the name of the part of the system where it was; empty: that of its worker.
    """

    before: str = ""
    after: str = ""
    detail: str = ""
    part: str = ""


class Violations(Struct, frozen=True):
    """Violations in the order of the stream; what is said of one is made for those that are kept only.

    of: the series, or `law(name)`. places: of their events in the block. cause: for each, its place in `words`.
    told: by position, what is said of it. label: a number of `LabelNumbers` (None: unlabelled). amount: how many each stands
    for (None: 1).
    """

    of: str
    block: Block
    places: Ints
    cause: Ints
    words: Sequence[str]
    told: Callable[[int], Told]
    label: Ints | None = None
    amount: Ints | None = None

    def task(self, position: int) -> str:
        """The name of its task; empty for none."""
        number = int(self.block.task[self.places[position]])
        return task_name(number) if number >= 0 else ""

    def worker(self, position: int) -> str:
        """The name of its worker; empty for none."""
        number = int(self.block.worker[self.places[position]])
        return worker_name(number) if number >= 0 else ""


def note(
    facts: "Facts",
    of: str,
    block: Block,
    places: Ints,
    *,
    cause: str | tuple[Ints, Sequence[str]],
    told: Callable[[int], Told] = lambda position: Told(),
    label: Ints | None = None,
    amount: Ints | None = None,
) -> None:
    """Note violations at `places` of a block, ascending, if there are any and they are asked for.

    cause: in a word or two for all of them; or for each a number, and the words by number. The others: see `Violations`.
    """
    if not len(places) or not (of in facts.wanted or is_law(of)):
        return
    numbers, words = (np.zeros(len(places), dtype=np.int64), (cause,)) if isinstance(cause, str) else cause
    facts.violations.append(Violations(of, block, places, numbers, words, told, label, amount))


def at(label: Ints | None, places: Ints) -> Ints | None:
    """The labels at these places, if labels are kept."""
    return None if label is None else label[places]


def codes(words: Iterable[str]) -> tuple[Ints, Sequence[str]]:
    """Causes given one by one, as numbers and words."""
    known: dict[str, int] = {}
    numbers = [known.setdefault(word, len(known)) for word in words]
    return np.array(numbers, dtype=np.int64), tuple(known)
