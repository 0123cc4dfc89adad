"""Every attempt of a run as a row of columns, from its events: when it could start, started, ended, and what it met."""

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct

from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, Bools, Floats, Ints, make_block, merge
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import COPY, Kind
from soak.schemas.stream.vocabulary import NO_CAUSE, Vocabulary
from soak.simulation.queue.actions import ACTIONS

ATTEMPTS_PER_TASK = 10_000
"""An attempt's key is this times its task, plus its number."""

CLOSING = (Kind.TASK_DONE, Kind.TASK_RETRY, Kind.TASK_FAILED, Kind.TASK_BLOCKED)
_OF_ATTEMPTS = (
    Kind.TASK_DISPATCHED,
    Kind.EXECUTION_STARTED,
    Kind.EXECUTION_ENDED,
    Kind.FAULT_INJECTED,
    Kind.LEASE_EXPIRED,
    Kind.LEASE_REFUSED,
    *CLOSING,
)
_KEPT = kind_flags(
    *_OF_ATTEMPTS,
    Kind.TASK_DEFERRED,
    Kind.TASK_ENQUEUED,
    Kind.TASK_DUPLICATE,
    Kind.LEASE_CONTENDED,
    Kind.PROCESS_EXITED,
    Kind.PROCESS_STARTED,
)
NOT_HIT = -1


class Attempts(Struct, frozen=True):
    """Attempts that were dispatched, by task and number. Times in seconds, NaN where there is no such event.

    `task_due_s`, `taken_in_s`: when its task was due, and enqueued; `ready_s`: when the attempt itself was due. `hit`: which
    fault of the scenario decided it, NOT_HIT for none. `released_s`: the last that is heard of it. `closing`: the kind of event
    that closed it, -1 for none.
    """

    task: Ints
    number: Ints
    worker: Ints
    task_due_s: Floats
    taken_in_s: Floats
    ready_s: Floats
    dispatched_s: Floats
    started_s: Floats
    ended_s: Floats
    ran_s: Floats
    body_cause: Ints
    closed_s: Floats
    closing: Ints
    closing_cause: Ints
    injected_s: Floats
    expired_s: Floats
    released_s: Floats
    hit: Ints

    def __len__(self) -> int:
        return len(self.task)

    @property
    def resolved(self) -> Bools:
        """Whether anything is known of how it ended."""
        known: Bools = ~np.isnan(self.closed_s) | ~np.isnan(self.ended_s) | ~np.isnan(self.expired_s)
        return known

    @property
    def went_well(self) -> Bools:
        """Whether body and result were well, and no fault, lock or expired lease was in between."""
        well: Bools = (self.closing == Kind.TASK_DONE) & (self.hit == NOT_HIT) & np.isnan(self.injected_s)
        well &= ~np.isnan(self.ran_s) & (self.body_cause == NO_CAUSE) & np.isnan(self.expired_s)
        return well


def kept_events(blocks: Iterable[Block]) -> Block:
    """The events that tell of tasks and processes, as one block; samples and the rest are left out."""
    parts, until_s = [], 0.0
    for block in blocks:
        parts.append(block.take(_KEPT[block.kind]))
        until_s = max(until_s, block.until_s)
    return merge([make_block([], [], until_s=until_s), *parts])


class _Places:
    """The place of the first event of some kinds for each key, -1 where there is none."""

    def __init__(self, events: Block, event_key: Ints, key: Ints) -> None:
        self._events, self._event_key, self._key = events, event_key, key

    def of(self, *kinds: Kind) -> Ints:
        places = np.flatnonzero(np.isin(self._events.kind, kinds))
        known, first = np.unique(self._event_key[places], return_index=True)
        if not len(known):
            return np.full(len(self._key), -1)
        at = np.minimum(np.searchsorted(known, self._key), len(known) - 1)
        return np.where(known[at] == self._key, places[first[at]], -1)


def _at(column: Floats, places: Ints) -> Floats:
    return np.where(places >= 0, column[places], np.nan) if len(column) else np.full(len(places), np.nan)


def _whole_at(column: Ints, places: Ints, none: int) -> Ints:
    return np.where(places >= 0, column[places], none) if len(column) else np.full(len(places), none)


def attempts_of(events: Block, scenario: Scenario, vocabulary: Vocabulary) -> Attempts:
    """The attempts that `events` tell of."""
    event_key = events.task * ATTEMPTS_PER_TASK + events.attempt
    key = np.unique(event_key[events.kind == Kind.TASK_DISPATCHED])
    places = _Places(events, event_key, key)
    dispatched, ended, closed = places.of(Kind.TASK_DISPATCHED), places.of(Kind.EXECUTION_ENDED), places.of(*CLOSING)
    injected = places.of(Kind.FAULT_INJECTED)
    body_cause, closing_cause = (_whole_at(events.cause, each, NO_CAUSE) for each in (ended, closed))
    injected_cause = _whole_at(events.cause, injected, NO_CAUSE)
    task_due_s = _due(events, key // ATTEMPTS_PER_TASK)
    again_s = _at(events.value, _Places(events, event_key, key - 1).of(Kind.TASK_RETRY))
    return Attempts(
        task=key // ATTEMPTS_PER_TASK,
        number=key % ATTEMPTS_PER_TASK,
        worker=_whole_at(events.worker, dispatched, -1),
        task_due_s=task_due_s,
        taken_in_s=_at(events.t, _Places(events, events.task, key // ATTEMPTS_PER_TASK).of(Kind.TASK_ENQUEUED)),
        ready_s=np.where(key % ATTEMPTS_PER_TASK == 1, task_due_s, again_s),
        dispatched_s=_at(events.t, dispatched),
        started_s=_at(events.t, places.of(Kind.EXECUTION_STARTED)),
        ended_s=_at(events.t, ended),
        ran_s=_at(events.value, ended),
        body_cause=body_cause,
        closed_s=_at(events.t, closed),
        closing=_whole_at(events.kind, closed, -1),
        closing_cause=closing_cause,
        injected_s=_at(events.t, injected),
        expired_s=_at(events.t, places.of(Kind.LEASE_EXPIRED)),
        released_s=_last(events, event_key, key),
        hit=_hits((injected_cause, body_cause, closing_cause), scenario, vocabulary),
    )


def _due(events: Block, task: Ints) -> Floats:
    return _at(events.value, _Places(events, events.task, task).of(Kind.TASK_DEFERRED, Kind.TASK_ENQUEUED))


def _last(events: Block, event_key: Ints, key: Ints) -> Floats:
    """When the last event of each key took place."""
    last_s = np.full(len(key), -np.inf)
    own = np.flatnonzero(np.isin(events.kind, _OF_ATTEMPTS) & np.isin(event_key, key))
    np.maximum.at(last_s, np.searchsorted(key, event_key[own]), events.t[own])
    return last_s


def _hits(causes: Sequence[Ints], scenario: Scenario, vocabulary: Vocabulary) -> Ints:
    """Which fault of the scenario decided each attempt, as its place in the file."""
    place = {fault.name: index for index, fault in enumerate(scenario.faults) if fault.type in ACTIONS}
    fault_of = np.array([place.get(cause.fault, NOT_HIT) for cause in vocabulary.causes])
    result = np.full(len(causes[0]), NOT_HIT)
    for cause in causes:
        result = np.where(result == NOT_HIT, fault_of[cause], result)
    return result


def originals(task: Ints) -> Bools:
    """Which tasks are first submissions."""
    first: Bools = task & COPY == 0
    return first
