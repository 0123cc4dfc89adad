"""A pipeline of two processes and two sinks, and what its ledgers show, for the tests of its drive."""

from pathlib import Path

import numpy as np
from histories import loaded

from soak.runner.targets.journal import Journal
from soak.runner.targets.pipeline.book import Seen
from soak.runner.targets.pipeline.flow import Flow
from soak.runner.targets.pipeline.places import Place, places_of
from soak.schemas.language.load import Loaded
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import SPECS, Kind
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.schemas.target.load import LoadedTarget, load_target
from soak.simulation.plan import Plan

SCENARIO = """
system: pipeline
duration: 3m
drain: 1m
workload: {arrivals: {rate: 2/s, process: constant}, kinds: [{name: A, share: 50%}, {name: B, share: 50%}]}
pipeline:
  processes:
    - {name: harvest, reads: source, writes: raw}
    - {name: signal, reads: raw, writes: signals}
    - {name: broker, reads: signals, writes: orders, passes: confirmed}
  sinks: [{name: file, of: signals}, {name: db, of: signals}]
faults:
  - {name: kill, type: process_kill, process: signal, at: 100s}
telemetry: {sample_interval: 10s}
"""

TARGET = """
name: mine
processes:
  - {name: harvest, command: sleep 60}
  - {name: signal, command: sleep 60, port: 8080}
  - {name: broker, command: sleep 60}
streams:
  source: {jsonl: "{dir}/source.jsonl", first: first, last: last, at: at}
  raw: {jsonl: "{dir}/raw.jsonl", key: seq, at: at}
  orders: {jsonl: "{dir}/orders.jsonl", key: seq, at: at}
sinks:
  file: {jsonl: "{dir}/file.jsonl", key: seq, at: at, strong: strong, confirm: confirm, low_consistency: low}
  db: {sqlite: "{dir}/db", query: "SELECT rowid AS position, seq, at FROM signals WHERE rowid > {after}", key: seq, at: at}
"""

EVIDENCE = (Kind.RECORDS_MISSED, Kind.RECORDS_PHANTOM, Kind.RECORDS_LOST)
"""Kinds of which an event of 0 shows that it was looked for them."""

HARVEST, SIGNAL, BROKER, FILE, DB = range(5)


def scenario(text: str = SCENARIO) -> Loaded:
    """A scenario."""
    return loaded(text)


def target_file(folder: Path, text: str = TARGET) -> LoadedTarget:
    """A target file, written to a folder."""
    path = folder / "target.yaml"
    path.write_text(text, encoding="utf-8")
    return load_target(path)


class Story:
    """Rows of ledgers, told one after the other, and the events that they become."""

    def __init__(self, folder: Path, text: str = SCENARIO, target: str = TARGET) -> None:
        self.plan = Plan(scenario(text).scenario)
        self.pipeline = pipeline_of(self.plan.scenario)
        places = places_of(self.pipeline, target_file(folder, target).file)
        self.places: dict[str, Place] = {each.name: each for each in places}
        self.flow = Flow(self.plan, places, 1.0)
        self.flow.journal = Journal(self.plan, 0.0)
        self.until_s = 0.0

    def sent(self, keys: "range | list[int]", at_s: float, like: int = 0) -> None:
        """The source sent records."""
        self.flow.send(_seen(keys, at_s, like, label=0))

    def came(self, place: str, keys: "range | list[int]", at_s: float, like: int | None = None) -> None:
        """A place got records."""
        self.flow.arrive(self.places[place], _seen(keys, at_s, like))

    def close(self, *until_s: float) -> None:
        """Stretches end."""
        for self.until_s in until_s:
            self.flow.close(self.until_s)

    def block(self) -> Block:
        """What was noted since the last call."""
        assert self.flow.journal
        return self.flow.journal.take(self.until_s)

    def told(self, *kinds: Kind) -> list[tuple[str, float, int, float]]:
        """Events since the last call: the last word of their type, when, of which part, how many. Without `EVIDENCE` of 0."""
        block = self.block()
        found = []
        for place in np.flatnonzero(np.isin(block.kind, list(kinds))).tolist():
            kind = Kind(int(block.kind[place]))
            many = float(block.attempt[place]) if kind is Kind.RECORDS_STORED else float(block.value[place])
            if not many and kind in EVIDENCE:
                continue
            word = SPECS[kind].type.rpartition(".")[2]
            found.append((word, float(block.t[place]), int(block.worker[place]), many))
        return found


def _seen(keys: "range | list[int]", at_s: float, like: int | None, label: int | None = None) -> Seen:
    count = len(keys)
    labels = None if label is None else np.full(count, label)
    return Seen(
        np.array(keys, dtype=np.int64),
        np.full(count, at_s),
        None,
        labels,
        None if like is None else np.full(count, like),
    )
