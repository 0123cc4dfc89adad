"""Labels as numbers: every combination of tenant, kind and phase has one, so that a selector is a set of numbers."""

import numpy as np

from soak.schemas.language.expression import Selector
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Floats, Ints

PHASE = "phase"


class LabelNumbers:
    """Numbers for (label of the stream, phase); the last of each stands for none."""

    def __init__(self, scenario: Scenario) -> None:
        more = {kind.name: dict(kind.labels) for kind in scenario.workload.kinds}
        self._labels = tuple(
            {"tenant": label.tenant, "kind": label.kind, **more.get(label.kind, {})}
            for label in scenario.workload.labels
        )
        """By label of the stream, and then by part of the system: names and values of all that can be selected by it."""
        self._parts = {tuple(sorted(part)): len(self._labels) + place for place, part in enumerate(scenario.parts)}
        self._labels = (*self._labels, *(dict(part) for part in scenario.parts))
        self._having: dict[tuple[str, str], set[int]] = {}
        """The places of the labels that have a value by a name."""
        for place, label in enumerate(self._labels):
            for item in label.items():
                self._having.setdefault(item, set()).add(place)
        self._phases = scenario.phases
        self.needed = bool(self._labels or self._phases)

    @property
    def phases(self) -> int:
        """How many numbers there are for each label of the stream: one for each phase, and one for none."""
        return len(self._phases) + 1

    @property
    def count(self) -> int:
        """How many labels there are."""
        return len(self._labels)

    def windows(self) -> tuple[Floats, Floats]:
        """When phases begin and end, in seconds."""
        windows = [each.window for each in self._phases]
        return np.array([each.start_s for each in windows]), np.array([each.end_s for each in windows])

    @property
    def unknown(self) -> int:
        """The number of a task of which neither label nor phase is known."""
        return (len(self._labels) + 1) * (len(self._phases) + 1) - 1

    def tenants(self, scenario: Scenario) -> Ints:
        """By number: the place of its tenant among those of the scenario; -1 for none."""
        places = {tenant.name: place for place, tenant in enumerate(scenario.workload.tenants)}
        labels = [places.get(label.get("tenant", ""), -1) for label in (*self._labels, {})]
        return np.repeat(np.array(labels), self.phases)

    def part(self, **labels: str) -> int:
        """The label, as `of` takes it, of the part of the system with these labels. Raises KeyError where there is none."""
        return self._parts[tuple(sorted(labels.items()))]

    def of(self, label: Ints, due_s: Floats) -> Ints:
        """The numbers of tasks, from their label in the stream (-1 for none) and the time at which they were due."""
        phase = np.full(len(due_s), len(self._phases))
        for index, each in enumerate(self._phases):
            phase[(due_s >= each.window.start_s) & (due_s < each.window.end_s)] = index
        known = np.where(label < 0, len(self._labels), label)
        result: Ints = known * (len(self._phases) + 1) + phase
        return result

    def selected(self, selector: Selector) -> frozenset[int] | None:
        """The numbers that a selector chooses; None when it chooses all."""
        if not selector:
            return None
        wanted = dict(selector)
        asked = [self._having.get(item, set()) for item in wanted.items() if item[0] != PHASE]
        labels = set.intersection(*asked) if asked else range(len(self._labels) + 1)
        phases = [*(phase.name for phase in self._phases), None]
        columns = [column for column, phase in enumerate(phases) if wanted.get(PHASE, phase) == phase]
        return frozenset(row * len(phases) + column for row in labels for column in columns)
