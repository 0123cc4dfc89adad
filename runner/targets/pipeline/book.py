"""The book of all records: when each was sent, where it was seen, and how many are in which place.

Everything in it follows from the rows of ledgers, given in an order: so it can be rebuilt from the record ledger of a run.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct

from soak.runner.targets.pipeline.columns import Column
from soak.runner.targets.pipeline.keys import UNKNOWN, KeyNumbers, Keys
from soak.runner.targets.pipeline.places import CONFIRMED, LOW, STRONG, Place
from soak.schemas.stream.block import Bools, Floats, Ints

MINUTE_S = 60.0


class Seen(Struct, frozen=True):
    """Rows of a ledger in scenario time. at_s: when each was written; sent_s: when it was sent, where the ledger says so.

    label: of each, -1 for none. like: bits of what each is like (`places`); None: the ledger does not say.
    """

    keys: Keys
    at_s: Floats
    sent_s: Floats | None = None
    label: Ints | None = None
    like: Ints | None = None

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(slots=True)
class Tally:
    """What a place holds. rows: all of them, of records that were sent; distinct: of different records, and of these how many are
    as the bits say, by the place's own word or the plan; rows_like: by its own word only. highest: the largest number of a record
    in it; newest_s: when the newest was sent."""

    rows: int = 0
    distinct: int = 0
    like: Counter[int] = field(default_factory=Counter)
    rows_like: Counter[int] = field(default_factory=Counter)
    highest: int = -1
    newest_s: float = -1.0


class Arrived(Struct, frozen=True):
    """What rows of a place came to: new records, by number and time; when those came that it had already; rows of records that
    were not sent, None for no such rows."""

    number: Ints
    at_s: Floats
    again_s: Floats
    strangers: Seen | None


class Book:
    """All records of a run."""

    def __init__(self, places: tuple[Place, ...]) -> None:
        self.keys = KeyNumbers()
        self.sent_s, self.held = Column(np.float64), Column(np.uint32)
        self.label, self.like = Column(np.int16), Column(np.uint8)
        self.knows_like = False
        """Whether it is known what each record is like."""
        self.tallies = {place.name: Tally() for place in places}
        self._first = places[0] if places else None
        self._jumps: dict[str, tuple[list[Ints], list[Floats]]] = {place.name: ([], []) for place in places}
        """By place: records before which others are lacking that were sent earlier, as they came, and when."""
        self.last_sent_s = 0.0
        self.tells_like = False
        """Whether it is known of the records in the first place."""
        self.minutes = np.zeros((0, 3), dtype=np.int64)
        """By minute of sending: how many records the first sink holds, how many of them are strong, of low consistency."""

    @property
    def sent(self) -> int:
        """How many records were sent."""
        return self.keys.count

    def send(self, seen: Seen) -> Ints:
        """Records that were sent: the numbers of those that are new."""
        before = self.keys.count
        number = self.keys.add(seen.keys)
        fresh = number >= before
        # Of a key that comes twice at once, the first counts.
        number, first = np.unique(number[fresh], return_index=True)
        places = np.flatnonzero(fresh)[first]
        for column in (self.sent_s, self.held, self.label, self.like):
            column.grow(self.keys.count)
        self.sent_s.values[number] = seen.at_s[places]
        self.last_sent_s = max(self.last_sent_s, float(seen.at_s[places].max(initial=0.0)))
        self.label.values[number] = -1 if seen.label is None else seen.label[places]
        if seen.like is not None:
            self.like.values[number] = seen.like[places]
            self.knows_like = True
        return number

    def arrive(self, place: Place, seen: Seen) -> Arrived:
        """Rows of a place."""
        number = self.keys.find(seen.keys)
        known, strangers = number != UNKNOWN, None
        if not known.all():
            strangers = _chosen(seen, ~known)
            seen, number = _chosen(seen, known), number[known]
        tally, held = self.tallies[place.name], self.held.values
        self._note_jumps(place, tally.highest, number, seen.at_s)
        _, first = np.unique(number, return_index=True)
        new = np.zeros(len(number), dtype=np.bool_)
        new[first] = (held[number[first]] & place.bit) == 0
        held[number[new]] |= np.uint32(place.bit)
        self._count(place, tally, number, new, seen)
        return Arrived(number[new], seen.at_s[new], seen.at_s[~new], strangers)

    def _note_jumps(self, place: Place, highest: int, number: Ints, at_s: Floats) -> None:
        before = np.maximum.accumulate(np.concatenate([[highest], number]))[:-1]
        if (jumps := number > before + 1).any():
            numbered, times = self._jumps[place.name]
            numbered.append(number[jumps])
            times.append(at_s[jumps])

    def passed_over_s(self, places: tuple[Place, ...], numbers: Ints) -> Floats:
        """When a record that was sent later came to one of some places, for records that never did; infinite where none has."""
        found: Floats = np.min([self._passed_over_s(each, numbers) for each in places], axis=0)
        return found

    def _passed_over_s(self, place: Place, numbers: Ints) -> Floats:
        numbered, times = self._jumps[place.name]
        if not numbered:
            return np.full(len(numbers), np.inf)
        found = np.searchsorted(np.concatenate(numbered), numbers, side="right")
        at_s: Floats = np.append(np.concatenate(times), np.inf)[found]
        return at_s

    def _count(self, place: Place, tally: Tally, number: Ints, new: Bools, seen: Seen) -> None:
        tally.rows += len(number)
        tally.distinct += int(new.sum())
        if len(number):
            tally.highest = max(tally.highest, int(number.max()))
            tally.newest_s = max(tally.newest_s, float(self.sent_s.values[number].max()))
        like = seen.like
        if like is None and self.knows_like:
            like = self.like.values[number].astype(np.int64)
        if like is not None:
            for bit in (STRONG, LOW, CONFIRMED):
                tally.rows_like[bit] += 0 if seen.like is None else int(((like & bit) > 0).sum())
                tally.like[bit] += int(((like[new] & bit) > 0).sum())
        if place is self._first:
            self.tells_like = self.tells_like or like is not None
            self._count_minutes(number[new], None if like is None else like[new])

    def _count_minutes(self, number: Ints, like: Ints | None) -> None:
        if not len(number):
            return
        minute = (self.sent_s.values[number] // MINUTE_S).astype(np.int64)
        size = int(minute.max()) + 1
        if size > len(self.minutes):
            self.minutes = np.vstack([self.minutes, np.zeros((size - len(self.minutes), 3), dtype=np.int64)])
        self.minutes[:size, 0] += np.bincount(minute, minlength=size)
        for column, bit in ((1, STRONG), (2, LOW)):
            if like is not None:
                self.minutes[:size, column] += np.bincount(minute[(like & bit) > 0], minlength=size)

    def absent(self, bits: int, first: int, last: int, like: int) -> Ints:
        """The records from number `first` to before `last` that no place of these bits holds, of those as `like` says."""
        held = self.held.values[first:last]
        missing = (held & np.uint32(bits)) == 0
        if like:
            missing &= (self.like.values[first:last] & like) == like
        return np.flatnonzero(missing) + first

    def sent_like(self, like: int) -> int:
        """How many of the records that were sent are as `like` says."""
        if not like:
            return self.sent
        return int(((self.like.values[: self.sent] & like) == like).sum())


def _chosen(seen: Seen, which: Bools) -> Seen:
    places = np.flatnonzero(which)
    whole = seen.keys
    keys: Keys = whole[places] if isinstance(whole, np.ndarray) else [whole[each] for each in places.tolist()]
    sent_s = None if seen.sent_s is None else seen.sent_s[places]
    label, like = (None if each is None else each[places] for each in (seen.label, seen.like))
    return Seen(keys, seen.at_s[places], sent_s, label, like)
