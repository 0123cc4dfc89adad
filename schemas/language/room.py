"""What a system adds to the scenario language: a fragment of the JSON Schema, settings, checks, indicators and faults."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from soak.schemas.errors import Problem, Where
from soak.schemas.files import Folders
from soak.schemas.language.distributions import Distribution
from soak.schemas.language.faults import FaultTable, Timed
from soak.schemas.language.slis import Sli
from soak.schemas.stream.events import Kind, Spec
from soak.schemas.stream.states import TaskState

if TYPE_CHECKING:
    from soak.schemas.language.view import View

Data = Mapping[str, Any]
Check = Callable[["View"], Iterator[Problem]]


def _nothing(*_: object) -> tuple[()]:
    return ()


class Level(Struct, frozen=True):
    """A whole number that events raise and lower by one, such as that of the calls in flight.

    sampled: its samples, which correct it once events were lost; without any it is unknown from the loss on. workers: of
    workers, how many there are at the start, where events of one that change nothing for it count nothing; None of others.
    """

    raised: tuple[Kind, ...]
    lowered: tuple[Kind, ...]
    sampled: Kind | None = None
    workers: int | None = None


TASK_COUNTS: Mapping[str, Kind] = {
    "enqueued": Kind.TASK_ENQUEUED,
    "skipped": Kind.TASK_SKIPPED,
    "dispatched": Kind.TASK_DISPATCHED,
    "retries": Kind.TASK_RETRY,
    "done": Kind.TASK_DONE,
    "failed": Kind.TASK_FAILED,
    "blocked": Kind.TASK_BLOCKED,
    "leases_expired": Kind.LEASE_EXPIRED,
}
"""Columns of metrics.csv that systems with tasks have."""


class Amount(Struct, frozen=True):
    """What the events of a kind in a minute amount to: the sum of their values, or (most) the largest, if there is any.

    records: how many records they stand for, and not their values. worker: only those of this part of the system.
    """

    kind: Kind
    records: bool = False
    worker: int | None = None
    most: bool = False


LEVEL_COLUMNS = ("queue_depth", "queue_depth_max", "oldest_pending_s", "busy_workers")
QUANTILE_COLUMNS = ("latency_p50_s", "latency_p95_s", "latency_p99_s")
COLUMNS = ("t_s", *LEVEL_COLUMNS, *QUANTILE_COLUMNS)
"""Columns of metrics.csv that every system has; there is one for each fault besides."""


class Minutes(Struct, frozen=True):
    """What metrics.csv holds of a run, minute by minute.

    counts: columns of how many events of a kind there were. waiting: the states whose tasks make up the depth of the queue.
    taken, given_back: events that take a task out of it and put it back, beside changes of state. workers: whether it is
    known which workers run a task. more: further counts, in columns after all others. levels: after these, for each name a
    column with the mean over the minute, and `<name>_max` with the maximum. amounts: after these, a column each.
    """

    counts: Mapping[str, Kind]
    waiting: frozenset[TaskState]
    taken: tuple[Kind, ...] = ()
    given_back: tuple[Kind, ...] = ()
    workers: bool = True
    more: Mapping[str, Kind] = field(default_factory=dict)
    levels: Mapping[str, Level] = field(default_factory=dict)
    amounts: Mapping[str, Amount] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """All that the system adds to those of every system."""
        return (*self.counts, *self.added)

    @property
    def added(self) -> tuple[str, ...]:
        """The columns after all others; evidence of earlier versions may lack them."""
        return (*self.more, *(column for name in self.levels for column in (name, f"{name}_max")), *self.amounts)


class Work(Struct, frozen=True):
    """Work other than tasks, which has none of their states: what it is called, and what becomes of it.

    `558,000 records sent, 557,990 stored`: units, offered, answered. unit: one of it. beside: indicators that are said
    beside, each with its word, where they are not 0.
    """

    unit: str
    units: str
    offered: str
    answered: str
    beside: tuple[tuple[str, str], ...] = ()


class TaskWords(Struct, frozen=True):
    """What tasks are called where each has exactly one attempt: `906 requests: 891 well, 15 failed`.

    states: the word of a state of tasks, by its name; others have their name. Of a case, attempt, worker and state say
    nothing. simulated: what is said of a simulation beside its verdict, where real runs have the same scenarios.
    """

    unit: str
    units: str
    states: Mapping[str, str]
    simulated: str


class Language(Struct, frozen=True):
    """What a scenario of a system may say, beside what any scenario may.

    fragment: a JSON file; `schemas/language/schema.py` says what it holds. build: from checked data, defaults filled in, to
    frozen settings; raises ValueError. service: the distribution of how long one attempt at a task takes. slis, faults: by
    name and type; the indicators of every system are added. minutes: what metrics.csv holds. checks: what the shape cannot
    say. names: of the parts of the system that events name as `to`. distributions: where distributions stand. struck: the
    part that a fault strikes. minutes_with: what metrics.csv holds where that depends on the settings; None for `minutes`.
    on_demand: indicators that a scenario with these settings has although it does not use them. steady: whether nothing of
    the system itself changes by schedule in the course of a run. timed: when a fault takes place of whose windows the system
    knows more than is written. headline: what progress shows of a run, as word and SLI; levels: what watching shows, as
    sample and word. words: names that the stream gives a small number before a run. events: kinds of events of its own.
    instead: for keys of `workload.task` that other systems have, what this one takes. template: a commented scenario of the
    system to start from, for `soak init --template`; it runs within seconds. closed: whether its work may come from users who
    wait for it; at_once: how many tasks it works on at a time at most. kind_service: how long an
    attempt takes at a kind of work as it is written (None: as at any other); None where kinds say nothing of it. kind_labels:
    labels that follow from the kind of a task: by name, the value for each kind. durations: event types that have one, the time
    since the event of another type of the same task, attempt and part. arrivals: those of the scenario, with
    what faults of the source make of them; by default as they are written. parts: the labels by which its series can be
    selected beside tenant, kind and phase: names and values of those that go together. work: what it works on, if it has no
    tasks; its tracker counts it. tasks: what those with one attempt each are called. slis_with: of the indicators those that a
    scenario says more of, as it is written. promised: by series, the words of promises of which a target must have made one, or
    its indicators say nothing of it.
    """

    name: str
    fragment: Path
    build: Callable[[Data, Folders], Any]
    service: Callable[[Data, Any, Folders], Distribution]
    slis: Mapping[str, Sli]
    faults: FaultTable
    minutes: Minutes
    checks: tuple[Check, ...] = ()
    names: Callable[[Data], Sequence[str]] = _nothing
    distributions: Callable[[Data], Sequence[Where]] = _nothing
    struck: Callable[[Data, Any], str] = field(default=lambda data, settings: "")
    minutes_with: Callable[[Any], Minutes | None] = field(default=lambda settings: None)
    on_demand: Callable[[Any], Sequence[str]] = _nothing
    steady: Callable[[Any], bool] = field(default=lambda settings: True)
    timed: Callable[[Data, Any], Timed | None] = field(default=lambda data, settings: None)
    headline: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[Kind, str] = field(default_factory=dict)
    words: Callable[[Any], Sequence[str]] = _nothing
    events: tuple[Spec, ...] = ()
    instead: Mapping[str, str] = field(default_factory=dict)
    kind_service: Callable[[Data, Folders], Distribution | None] | None = None
    kind_labels: Callable[[Data], Mapping[str, Mapping[str, str]]] = field(default=lambda data: {})
    arrivals: Callable[[Data], Data] = field(default=lambda data: data["workload"]["arrivals"])
    parts: Callable[[Data], Iterable[Mapping[str, str]]] = _nothing
    template: Path | None = None
    durations: Mapping[str, str] = field(default_factory=dict)
    closed: bool = False
    work: Work | None = None
    tasks: TaskWords | None = None
    at_once: Callable[[Any], float] = field(default=lambda settings: math.inf)
    slis_with: Callable[[Data], Mapping[str, Sli]] = field(default=lambda data: {})
    promised: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def minutes_of(self, settings: Any) -> Minutes:
        """What metrics.csv holds of a run with these settings."""
        return self.minutes_with(settings) or self.minutes
