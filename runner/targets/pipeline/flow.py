"""What the ledgers show, as events: a stretch at a time, each one sample interval."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from soak.runner.targets.journal import Journal
from soak.runner.targets.pipeline.blame import Blame
from soak.runner.targets.pipeline.book import MINUTE_S, Arrived, Book, Seen
from soak.runner.targets.pipeline.gaps import Gaps
from soak.runner.targets.pipeline.places import Place, PlaceKind, needs, output_of
from soak.runner.targets.pipeline.waiting import Waiting
from soak.schemas.stream.block import Floats, Ints
from soak.schemas.stream.events import KEY_SHIFT, Kind
from soak.schemas.systems.pipeline.floors import SETTLES_S, SETTLING_S
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.simulation.pipeline.stretches import stored
from soak.simulation.plan import Plan

_PATIENCE = 2
"""Stretches after which a record that the source is not seen to have sent was not sent."""

_TRIED = 65_536


@dataclass(slots=True)
class _Stretch:
    """What came to a place and was not noted yet."""

    at_s: list[Floats] = field(default_factory=list)
    latency_s: list[Floats] = field(default_factory=list)
    label: list[Ints] = field(default_factory=list)
    again_s: list[float] = field(default_factory=list)
    strange: list[tuple[int, Seen]] = field(default_factory=list)
    """Rows of records that were not sent: since which stretch they wait for that."""


class Flow:
    """Folds rows of ledgers into a book, and notes what became of the records.

    journal: None while what is known already is gone through.
    """

    def __init__(self, plan: Plan, places: tuple[Place, ...], speed: float) -> None:
        self.book, self.places = Book(places), places
        self.journal: Journal | None = None
        self.knows_sent = True
        """Whether the source says what it sent; otherwise what arrives was sent, and nothing is known to be missing."""
        self._plan, self._pipeline = plan, pipeline_of(plan.scenario)
        self.blame = Blame(plan)
        self.settling_s = settling_s(speed)
        self._stretches = {place.name: _Stretch() for place in places}
        by_label = numbers_by_label(plan)
        # The last stands for none.
        self._number_of = np.array([by_label.get(each, 0) for each in (*range(len(plan.vocabulary.labels)), -1)])
        self._sent: Counter[int] = Counter()
        self._compared: set[str] = set()
        self._late_s: float | None = None
        self._minute = self._closed = 0
        reader = output_of(places, self._pipeline, self._pipeline.reader)
        self.gaps = Gaps(self.book, self.blame, reader, self._pipeline.reader, places)
        self.waiting = Waiting(self.book, places, self._pipeline, self.gaps)

    # Rows.

    def send(self, seen: Seen) -> None:
        """Records that the source sent."""
        number = self.book.send(seen)
        self._sent.update(self.book.label.values[number].tolist())

    def note_late(self, late_s: float) -> None:
        """The source sent records so long after they were due."""
        self._late_s = late_s if self._late_s is None else max(self._late_s, late_s)

    def arrive(self, place: Place, seen: Seen) -> None:
        """Rows of a place."""
        arrived = self.book.arrive(place, seen)
        self._gather(place, arrived)
        if arrived.strangers is not None:
            self._stretches[place.name].strange.append((self._closed, arrived.strangers))

    def _gather(self, place: Place, arrived: Arrived) -> None:
        stretch, number = self._stretches[place.name], arrived.number
        if len(number):
            stretch.at_s.append(arrived.at_s)
            stretch.latency_s.append(arrived.at_s - self.book.sent_s.values[number])
            stretch.label.append(self.book.label.values[number].astype(np.int64))
        stretch.again_s += arrived.again_s.tolist()

    # The end of a stretch.

    def close(self, until_s: float) -> None:
        """Note what came up to a time, and how things are then."""
        self._close_sent(until_s)
        for place in self.places:
            self._try_strangers(place, until_s)
            self._close_place(place, until_s)
        self.close_minutes(until_s)
        self.gaps.close(until_s, self.note, tells=self.knows_sent)
        for process, backlog in self.waiting.now().items():
            self.note(until_s, Kind.SAMPLE_BACKLOG, worker=process, value=backlog)
        for place in self.places:
            if place.kind is PlaceKind.SINK and (newest_s := self.book.tallies[place.name].newest_s) >= 0:
                self.note(until_s, Kind.SAMPLE_FRESHNESS, worker=place.part, value=max(0.0, until_s - newest_s))
        self._closed += 1

    def note(self, t_s: float, kind: Kind, **what: float) -> None:
        """Note an event, unless it is known already."""
        if self.journal is not None:
            self.journal.note(t_s, kind, **what)  # type: ignore[arg-type]

    def _close_sent(self, until_s: float) -> None:
        for label, count in sorted(self._sent.items()):
            self.note(until_s, Kind.RECORDS_SENT, number=int(self._number_of[label]), value=count)
        self._sent.clear()
        if self._late_s is not None:
            self.note(until_s, Kind.SAMPLE_SOURCE_LAG, value=max(0.0, self._late_s))
            self._late_s = None

    def _try_strangers(self, place: Place, until_s: float) -> None:
        """Rows that came before it was seen that their records were sent; those that wait for too long were not sent."""
        stretch = self._stretches[place.name]
        waiting, stretch.strange = stretch.strange, []
        for since, seen in waiting:
            arrived = self.book.arrive(place, seen)
            self._gather(place, arrived)
            if (left := arrived.strangers) is None:
                continue
            if since + _PATIENCE > self._closed:
                stretch.strange.append((since, left))
            elif place.kind is PlaceKind.SINK:
                self.note(until_s, Kind.RECORDS_PHANTOM, worker=place.part, value=len(left))

    def _close_place(self, place: Place, until_s: float) -> None:
        stretch = self._stretches[place.name]
        at_s, latency_s, label = _joined(stretch.at_s), _joined(stretch.latency_s), _joined_ints(stretch.label)
        done = at_s <= until_s
        if done.all():
            stretch.at_s, stretch.latency_s, stretch.label = [], [], []
        else:
            stretch.at_s, stretch.latency_s, stretch.label = [at_s[~done]], [latency_s[~done]], [label[~done]]
        at_s, latency_s, label = at_s[done], latency_s[done], label[done]
        if place.kind is PlaceKind.SINK:
            self._note_stored(place, at_s, latency_s, label)
        elif place.kind is PlaceKind.STREAM:
            self._note_taken(until_s, place.part, label)
        elif len(label):
            self.note(until_s, Kind.ORDERS_PLACED, worker=place.part, value=len(label))
        self._note_again(place, stretch)
        if place.kind is PlaceKind.SINK and self.book.tallies[place.name].rows:
            self.note_compared(place, until_s)

    def note_compared(self, sink: Place, t_s: float) -> None:
        """Note once that rows of a sink are held against what the source sent: 0 rows more are of records never sent."""
        if self.knows_sent and sink.name not in self._compared:
            self._compared.add(sink.name)
            self.note(t_s, Kind.RECORDS_PHANTOM, worker=sink.part, value=0)

    def _note_taken(self, until_s: float, process: int, label: Ints) -> None:
        for each in np.unique(label).tolist():
            number, count = int(self._number_of[each]), int((label == each).sum())
            self.note(until_s, Kind.RECORDS_TAKEN, number=number, worker=process, value=count)

    def _note_stored(self, place: Place, at_s: Floats, latency_s: Floats, label: Ints) -> None:
        if not len(at_s) or self.journal is None:
            return
        rows = stored(at_s, latency_s, self._number_of[label], label, place.part)
        for t, kind, number, count, worker, cause, value in rows:
            self.note(t, Kind(kind), number=number, attempt=count, worker=worker, cause=cause, value=value)

    def _note_again(self, place: Place, stretch: _Stretch) -> None:
        """Records that a place had already, by the fault at whose time they came."""
        kinds = {PlaceKind.SINK: Kind.RECORDS_DUPLICATED, PlaceKind.ORDERS: Kind.ORDERS_DUPLICATED}
        again_s, stretch.again_s = sorted(stretch.again_s), []
        if (kind := kinds.get(place.kind)) is None:
            return
        for cause, times in groupby(again_s, self.blame.at):
            times_s = list(times)
            self.note(times_s[0], kind, worker=place.part, cause=cause, value=len(times_s))

    def expects(self, place: Place) -> bool:
        """Whether records should have come to a place by now: some were sent, or it is not known which are passed on there."""
        if place.kind is PlaceKind.ORDERS:
            # Those to whom they are placed may write nothing down before the first.
            return False
        like = needs(self._pipeline, place.stream)
        return bool(self.book.sent_like(like)) if self.book.knows_like or not like else self.book.sent > 0

    def lags(self, place: Place) -> bool:
        """Whether a sink lacks records that another place of its stream has."""
        tallies = self.book.tallies
        there = max((tallies[each.name].distinct for each in self.places if each.stream == place.stream), default=0)
        return place.kind is PlaceKind.SINK and tallies[place.name].distinct < there

    def close_minutes(self, until_s: float) -> None:
        """Note the minutes that are closed by a time."""
        last = int(self._plan.ends_s // MINUTE_S)
        while self._minute < last and (t_s := (self._minute + 1) * MINUTE_S + self.settling_s) <= until_s:
            minutes = self.book.minutes
            total, strong, low = minutes[self._minute].tolist() if self._minute < len(minutes) else (0, 0, 0)
            self._minute += 1
            if not any(place.kind is PlaceKind.SINK for place in self.places[:1]):
                continue
            self.note(t_s, Kind.MINUTE_TOTAL, value=total)
            if self.book.tells_like:
                self.note(t_s, Kind.MINUTE_STRONG, value=strong)
                self.note(t_s, Kind.MINUTE_LOW_CONSISTENCY, value=low)


def _joined(parts: list[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.empty(0)


def _joined_ints(parts: list[Ints]) -> Ints:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def settling_s(speed: float) -> float:
    """How long after its end a minute is closed, in scenario time."""
    return max(SETTLES_S, SETTLING_S * speed)


def numbers_by_label(plan: Plan) -> dict[int, int]:
    """For each label a task number of which it is the label; 0 for none. Labels that no task has are left out."""
    found = {-1: 0}
    wanted = len(plan.vocabulary.labels)
    for first in range(0, _TRIED, 1024):
        if len(found) > wanted:
            break
        numbers = np.arange(first, first + 1024) << KEY_SHIFT
        for number, label in zip(numbers.tolist(), plan.labels_of(numbers).tolist(), strict=True):
            found.setdefault(label, number)
    return found
