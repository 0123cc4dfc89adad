"""How long what an event ends has lasted: the time since another event of the same task, attempt and part of the system."""

from collections.abc import Iterable, Mapping

import numpy as np

from soak.schemas.language.slis import Sli
from soak.schemas.stream.block import Block, Floats, quantise
from soak.schemas.stream.events import SPECS


class Elapsed:
    """The durations of events of some types, for the indicators that ask for them; without any it follows nothing.

    timed: by the type of the event that ends something, the type of the one that begins it.
    """

    def __init__(self, slis: Iterable[Sli], timed: Mapping[str, str]) -> None:
        asked = {
            each.type for sli in slis for part in sli.filters for each in part if _is_of_values(sli)
        } & timed.keys()
        self._ends = [kind for kind, spec in SPECS.items() if spec.type in asked]
        self._begins = [kind for kind, spec in SPECS.items() if spec.type in {timed[each] for each in asked}]
        self._since: dict[tuple[int, int, float], float] = {}

    def __bool__(self) -> bool:
        return bool(self._ends)

    def of(self, block: Block) -> Floats:
        """For each event of a block how long what it ends has lasted, in seconds; its value where it ends nothing of the kind.

        NaN where the beginning was not seen.
        """
        values = block.value.copy()
        begins, ends = np.isin(block.kind, self._begins), np.isin(block.kind, self._ends)
        places = np.flatnonzero(begins | ends)
        columns = (block.t, block.task, block.attempt, block.value, begins)
        for place, t_s, task, attempt, part, is_begin in zip(
            places.tolist(), *(column[places].tolist() for column in columns), strict=True
        ):
            if is_begin:
                self._since[task, attempt, part] = t_s
            else:
                values[place] = t_s - self._since.pop((task, attempt, part), np.nan)
        values[ends] = quantise(values[ends])
        return values


def _is_of_values(sli: Sli) -> bool:
    """Whether an indicator is of what events carry, and not of their number."""
    return sli.limit is not None or bool(sli.q)
