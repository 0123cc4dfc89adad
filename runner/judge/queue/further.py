"""Series of a queue that only scenarios have which use them."""

import numpy as np

from soak.runner.judge.groups import carried
from soak.runner.judge.lifecycle import Lifecycle
from soak.runner.judge.queue.consumers import Consumers
from soak.runner.judge.queue.levels import ExactDepth, WorkersAlive
from soak.runner.judge.queue.redelivery import Redelivery
from soak.runner.judge.room import Tasks
from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.stalls import floor_s
from soak.runner.judge.violations import Told, codes, note
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, Floats
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.states import TaskState
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.systems.queue.indicators import (
    AFTER_CRASH,
    BROKER_MEMORY,
    CONSUMER_STALL,
    QUEUE_DEPTH_MAX,
    WORKERS_ALIVE,
)
from soak.schemas.systems.queue.settings import queue_of
from soak.schemas.units import show_duration

LEAST_LEVEL = 1
"""The level from which on a target has workers, which tell of every start; below that, those of the scenario count."""

_PENDING = int(TaskState.PENDING)


class Further:
    """Follows what the scenario asks for, and nothing else; `columns` of the table are then its own."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary, identity: Identity | None) -> None:
        self._vocabulary = vocabulary
        level = identity.level if identity else None
        workers = queue_of(scenario).workers if level is None or level < LEAST_LEVEL else 0
        stall, alive = CONSUMER_STALL in scenario.slis, WORKERS_ALIVE in scenario.slis
        self._told_alive = alive
        self._alive = WorkersAlive(workers) if alive or stall else None
        self._depth = ExactDepth() if QUEUE_DEPTH_MAX in scenario.slis else None
        self._consumers = Consumers(floor_s(scenario, CONSUMER_STALL), workers) if stall else None
        self._left: tuple[Floats, Floats] = np.empty(0), np.empty(0)
        self._crashes = AFTER_CRASH in scenario.slis
        self._memory = any(sli.series == BROKER_MEMORY for sli in scenario.slis.values())
        self.columns: tuple[str, ...] = ("queued",) if stall else ()
        self.follows = bool(self._alive or self._depth or self._crashes or self._memory)
        """Whether there is anything to follow."""

    def observe(self, block: Block, tasks: Tasks, facts: Facts, redelivery: Redelivery) -> None:
        """Take in a block, of which redelivery has been followed."""
        if self._alive:
            samples = self._alive.observe(block, facts)
            if self._told_alive:
                facts.series[WORKERS_ALIVE] = samples
        if self._depth:
            facts.series[QUEUE_DEPTH_MAX] = self._depth.observe(block, tasks.rows, facts)
        if self._crashes:
            facts.series[AFTER_CRASH] = self._after_crash(block, tasks, facts, redelivery)
        if self._memory:
            sampled = block.kind == Kind.SAMPLE_BROKER_RSS
            facts.series[BROKER_MEMORY] = Samples(block.t[sampled], block.value[sampled])
        if self._consumers and self._alive:
            self._follow_waits(block, tasks, facts, self._consumers, self._alive)

    def _after_crash(self, block: Block, tasks: Tasks, facts: Facts, redelivery: Redelivery) -> Samples:
        """An observation for each execution: 1 if the one before it of its task died."""
        at = np.flatnonzero(block.kind == Kind.EXECUTION_STARTED)
        label = tasks.table.labels_at(block, at)
        places = np.array([place for place, _ in redelivery.restarted], dtype=np.int64)
        deaths = [death for _, death in redelivery.restarted]
        after = np.isin(at, places)

        def told(position: int) -> Told:
            death = deaths[position]
            return Told("", "running", f"attempt {death.attempt} died at {show_duration(death.t_s)}")

        causes = (self._vocabulary.causes[death.cause] for death in deaths)
        words = codes(f"after fault {each.fault}" if each.fault else "after a crash" for each in causes)
        own = None if label is None else label[after]
        note(facts, AFTER_CRASH, block, places, cause=words, told=told, label=own)
        return Samples(block.t[at], after.astype(np.float64), label=label)

    def _follow_waits(
        self, block: Block, tasks: Tasks, facts: Facts, consumers: Consumers, alive: WorkersAlive
    ) -> None:
        rows = tasks.rows
        entering = rows.changes & (rows.before != _PENDING) & (rows.after == _PENDING)
        leaving = rows.changes & (rows.before == _PENDING) & (rows.after != _PENDING)
        latest = rows.groups.latest(entering)
        queued = carried(latest, np.maximum(rows.t, rows.value), rows.known("queued"))
        rows.keep(queued=queued)
        self._left = queued[leaving], rows.t[leaving]
        left = np.zeros(len(block), dtype=np.bool_)
        left[rows.places[leaving]] = True
        consumers.observe(block, alive.changes, left, facts.until_s)

    def after(self, lifecycle: Lifecycle, facts: Facts) -> None:
        """The same, with the states of tasks after the block."""
        if self._consumers:
            table = lifecycle.table
            numbers = table.open_numbers()
            waiting = table.get("queued", numbers[table.states[numbers] == TaskState.PENDING])
            found = self._consumers.stretches(*self._left, waiting)
            facts.stretches[CONSUMER_STALL], facts.series[CONSUMER_STALL] = found
