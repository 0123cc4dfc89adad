"""Runs of load for tests: a generator and its processes, from the start to the end."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from soak.runner.load.generator import Detail, Generator
from soak.runner.load.options import ONE_PROCESS, Options
from soak.runner.load.order import Order
from soak.schemas.stream.block import Block, merge
from soak.schemas.stream.events import Kind
from soak.simulation.plan import Plan

_HEAD_START_REAL_S = 0.1


@dataclass
class Told:
    """What a run gave."""

    plan: Plan
    block: Block
    details: list[Detail] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def of(self, kind: Kind) -> Block:
        """The events of a kind."""
        return self.block.take(self.block.kind == kind)

    def due(self) -> dict[int, float]:
        """When each task that was sent was due."""
        sent = self.of(Kind.TASK_ENQUEUED)
        return dict(zip(sent.task.tolist(), sent.value.tolist(), strict=True))

    def times(self, kind: Kind) -> dict[int, float]:
        """When something happened, by task."""
        block = self.of(kind)
        return dict(zip(block.task.tolist(), block.t.tolist(), strict=True))

    def errors(self) -> dict[int, str]:
        """The error of each task that failed."""
        failed = self.of(Kind.TASK_FAILED)
        causes = self.plan.vocabulary.causes
        return {number: causes[cause].error for number, cause in zip(failed.task, failed.cause, strict=True)}


def planned(plan: Plan) -> dict[int, float]:
    """The arrivals of a plan: when each is due."""
    chunks = list(plan.again().submissions())
    return {
        number: due_s
        for chunk in chunks
        for number, due_s in zip(chunk.number.tolist(), chunk.due_s.tolist(), strict=True)
    }


def run(
    plan: Plan,
    order: Order,
    directory: Path,
    options: Options = ONE_PROCESS,
    meanwhile: Callable[[Generator, float], None] = lambda generator, now_s: None,
    patience_real_s: float = 20.0,
) -> Told:
    """Make the load of a plan until nothing is open; `meanwhile` is called with the time in real seconds, again and again."""
    blocks: list[Block] = []
    details: list[Detail] = []
    with Generator(plan, order, options, directory / "load.log") as generator:
        generator.prepare()
        epoch_s = time.monotonic() + _HEAD_START_REAL_S
        generator.start(epoch_s)
        deadline_s = time.monotonic() + patience_real_s
        while generator.is_busy and time.monotonic() < deadline_s:
            time.sleep(0.03)
            blocks.append(generator.take())
            meanwhile(generator, time.monotonic() - epoch_s)
            details += generator.details()
        blocks.append(generator.stop())
        details += generator.details()
        names = generator.names
    times = np.concatenate([each.t for each in blocks])
    assert np.all(np.diff(times) >= 0), "events are not in the order of time"
    for each in blocks:
        assert not len(each) or each.t[-1] <= each.until_s
    return Told(plan, merge(blocks), details, names)
