"""Simulated pipelines for tests: a scenario from the lines that matter, and its events as plain values."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from soak.schemas.language.load import Loaded, load
from soak.schemas.stream.events import SPECS, Kind, Value
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

DEFAULTS = {
    "version": "1",
    "name": "test",
    "system": "pipeline",
    "duration": "2m",
    "drain": "1m",
    "workload": "{arrivals: {rate: 10/s, process: constant}}",
    "telemetry": "{sample_interval: 10s}",
}
TWO = """
pipeline:
  processes:
    - {name: collect, reads: source, writes: raw}
    - {name: transform, reads: raw, writes: results}
  sinks: [{name: file, of: results}, {name: database, of: results, batch: {rows: 100, every: 500ms}}]
"""
"""Two processes and two sinks."""


@dataclass(frozen=True)
class Happened:
    """An event: who is the process or sink, records how many it stands for."""

    t: float
    type: str
    who: str
    fault: str
    value: float
    records: int
    name: str
    label: str


def loaded(text: str) -> Loaded:
    """A scenario: `text`, and the least that it lacks."""
    text = dedent(text)
    given = {line.partition(":")[0] for line in text.splitlines() if line and not line.startswith((" ", "-"))}
    lines = [f"{key}: {value}" for key, value in DEFAULTS.items() if key not in given]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "scenario.yaml"
        path.write_text("\n".join([*lines, text]), encoding="utf-8")
        return load(path)


class Run:
    """The events of a simulated pipeline."""

    def __init__(self, text: str, seed: int | None = None) -> None:
        plan = Plan(loaded(text).scenario, seed)
        parts = plan.scenario.system_settings.parts  # type: ignore[attr-defined]
        self.events = list(_events(plan, parts))

    def of(self, *types: str, who: str | None = None, fault: str | None = None) -> list[Happened]:
        """The events of these types, of a process or sink, with a cause."""
        return [
            event
            for event in self.events
            if event.type in types and who in {None, event.who} and fault in {None, event.fault}
        ]

    def times(self, *types: str, who: str | None = None, fault: str | None = None) -> list[float]:
        """When they happened."""
        return [event.t for event in self.of(*types, who=who, fault=fault)]

    def total(self, type_: str, who: str | None = None, fault: str | None = None) -> int:
        """How many records they stand for."""
        found = self.of(type_, who=who, fault=fault)
        return (
            sum(event.records for event in found) if type_ == "records.stored" else round(sum(e.value for e in found))
        )

    def latency_s(self, sink: str) -> float:
        """The mean latency of all records in a sink."""
        found = self.of("records.stored", who=sink)
        return sum(event.records * event.value for event in found) / sum(event.records for event in found)

    def left(self, process: str) -> float:
        """What waits for a process at the end."""
        return self.of("sample.backlog", who=process)[-1].value


def _events(plan: Plan, parts: tuple[str, ...]) -> Iterator[Happened]:
    for block in simulate(plan):
        for t, kind, attempt, worker, cause, label, value in zip(
            *(getattr(block, name).tolist() for name in ("t", "kind", "attempt", "worker", "cause", "label", "value")),
            strict=True,
        ):
            spec, words = SPECS[Kind(kind)], plan.vocabulary
            yield Happened(
                t,
                spec.type,
                parts[worker] if worker >= 0 else "",
                words.causes[cause].fault,
                value,
                attempt if spec.uses("records") else 0,
                words.names[int(value)] if spec.value is Value.NAME else "",
                words.labels[label].kind if label >= 0 else "",
            )
