"""The system `relay` in the judge."""

from collections.abc import Iterator

import numpy as np

from relay_soak.language import RELEASED, STUCK, SWITCHED, Relays
from soak.runner.judge.lifecycle import Lifecycle
from soak.runner.judge.room import Law, Room, Tasks, Tracker
from soak.runner.judge.samples import Facts, Samples
from soak.schemas.evidence.verdict import Section
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Sli
from soak.schemas.stream.block import Block, quantise
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.vocabulary import Vocabulary


class RelayTracker(Tracker):
    """Counts what each relay did, and since when one sticks."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary, identity: Identity | None) -> None:
        super().__init__(scenario, vocabulary, identity)
        self._lamps = scenario.settings(Relays).lamps
        self._switched = np.zeros(len(self._lamps), dtype=np.int64)
        self._stuck = np.zeros(len(self._lamps), dtype=np.int64)
        self._since: dict[int, float] = {}

    def observe(self, block: Block, tasks: Tasks, facts: Facts) -> None:
        rows = tasks.rows
        facts.series["switch_time"] = rows.samples(
            rows.kind == Kind.TASK_DONE, quantise(rows.t - rows.due), tasks.label
        )
        self._switched += np.bincount(block.worker[block.kind == SWITCHED], minlength=len(self._lamps))
        self._stuck += np.bincount(block.worker[block.kind == STUCK], minlength=len(self._lamps))
        facts.series["stuck_time"] = self._stuck_times(block)

    def _stuck_times(self, block: Block) -> Samples:
        times, lengths = [], []
        for place in np.flatnonzero(np.isin(block.kind, [STUCK, RELEASED])).tolist():
            lamp, t_s = int(block.worker[place]), float(block.t[place])
            if block.kind[place] == STUCK:
                self._since.setdefault(lamp, t_s)
            elif lamp in self._since:
                times.append(t_s)
                lengths.append(t_s - self._since.pop(lamp))
        return Samples(np.array(times), quantise(np.array(lengths)))

    def laws(self, lifecycle: Lifecycle, *, complete: bool) -> Iterator[Law]:
        still = ", ".join(self._lamps[lamp] for lamp in sorted(self._since))
        detail = f"still stuck: {still}" if still else ""
        yield Law("springs", "every relay that stuck comes free again", float(len(self._since)), detail)

    def still_open(self, sli: Sli, lifecycle: Lifecycle, labels: frozenset[int] | None) -> tuple[int, str] | None:
        return (len(self._since), "stuck relays") if sli.series == "stuck_time" else None

    def section(self) -> Section:
        rows = [
            [lamp, f"{switched:,}", f"{stuck:,}"]
            for lamp, switched, stuck in zip(self._lamps, self._switched.tolist(), self._stuck.tolist(), strict=True)
        ]
        return Section("Relays", ["lamp", "switched", "stuck"], rows, "How often each relay switched, and stuck.")


ROOM = Room(tracker=RelayTracker)
