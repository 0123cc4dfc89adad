"""Histories for tests: what happened, as a few lines of text, and what the judge makes of it.

A line says when, what, and to which task; `w0` is a worker, `@2` an attempt (else it is counted), `key=word` the rest:

    0  enqueued 1 due=0 tenant=A
    1  dispatched 1 w0
    1  started 1
    9  ended 1 fault=net error=timeout
    9  retry 1 fault=net due=69
    60 queue_depth 3
    99 census pending=1

`census some pending=1` is one of that state alone; otherwise the others are 0.
"""

import hashlib
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import numpy as np
from msgspec.structs import replace

from soak.runner.judge.decide import decide
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.verdict import End, ObjectiveResult, Verdict
from soak.schemas.language.load import Loaded, load
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, make_block
from soak.schemas.stream.events import CENSUS, COPY, NEW_STATE, SPECS, Kind, Value
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.states import TaskState
from soak.schemas.stream.vocabulary import Vocabulary
from soak.simulation.plan import Plan

DEFAULTS = {
    "version": "1",
    "name": "test",
    "system": "queue",
    "duration": "1h",
    "drain": "1h",
    "workload": "{arrivals: {rate: 1/s}, task: {duration: {distribution: constant, value: 9s}}}",
    "telemetry": "{max_gap: 1h}",
}

TENANTS = "workload: {arrivals: {rate: 1/s}, task: {duration: {distribution: constant, value: 9s}}, tenants: [%s]}"

_ORDER = ("task", "execution", "lease", "fault", "sample", "alert", "run", "process")
WORDS: dict[str, Kind] = {SPECS[kind].type: kind for kind in SPECS if not SPECS[kind].state}
for _family in _ORDER:
    for _type, _kind in list(WORDS.items()):
        if _type.startswith(f"{_family}."):
            WORDS.setdefault(_type.removeprefix(f"{_family}."), _kind)
WORDS["lost"] = Kind.SAMPLE_LOST


def scenario_text(text: str = "") -> str:
    """A whole scenario: `text`, and the least that it lacks."""
    text = dedent(text)
    lacking = {key: value for key, value in DEFAULTS.items() if not re.search(rf"^{key}:", text, re.MULTILINE)}
    return "".join(f"{key}: {value}\n" for key, value in lacking.items()) + text


@cache
def loaded(text: str = "") -> Loaded:
    """The scenario that `text` stands for."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "test.yaml"
        path.write_text(scenario_text(text), encoding="utf-8")
        return load(path)


def scenario(text: str = "") -> Scenario:
    """The typed scenario that `text` stands for."""
    return loaded(text).scenario


def tenants(*names: str) -> str:
    """A workload of tenants with equal shares."""
    return TENANTS % ", ".join(f"{{name: {name}, share: {1 / len(names)}}}" for name in names)


@dataclass
class _Event:
    t: float
    kind: Kind
    task: int = -1
    attempt: int = 0
    worker: int = -1
    cause: int = 0
    label: int = -1
    value: float = np.nan


class _Parser:
    """Lines to events; counts the attempts of each task."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._attempts: dict[int, int] = {}

    def parse(self, line: str) -> list[_Event]:
        time, word, *rest = line.split()
        named = dict(part.split("=", 1) for part in rest if "=" in part)
        if word == "census":
            some = "some" in rest
            return [
                _Event(float(time), kind, value=float(named.get(state.name.lower(), 0)))
                for state, kind in CENSUS.items()
                if not some or state.name.lower() in named
            ]
        event = _Event(float(time), WORDS[word])
        bare = [part for part in rest if "=" not in part]
        for part in bare:
            self._bare(event, part)
        self._name(event, named)
        self._complete(event)
        return [event]

    def _bare(self, event: _Event, part: str) -> None:
        if part.startswith("w"):
            event.worker = int(part[1:])
        elif part.startswith("@"):
            event.attempt = int(part[1:])
        elif SPECS[event.kind].uses("task"):
            arrival, _, copy = part.partition(".")
            event.task = int(arrival) * 2 + (COPY if copy else 0)
        else:
            event.value = float(part)

    def _name(self, event: _Event, named: dict[str, str]) -> None:
        spec = SPECS[event.kind]
        if "fault" in named or "error" in named:
            event.cause = self._vocabulary.cause(named.get("fault", ""), named.get("error", ""))
        if named.keys() & {"tenant", "kind"}:
            event.label = self._vocabulary.label(named.get("tenant", ""), named.get("kind", ""))
        if spec.value is Value.NAME:
            event.value = self._vocabulary.name(named[spec.value_name])
        elif spec.value_name in named:
            event.value = float(named[spec.value_name])

    def _complete(self, event: _Event) -> None:
        spec = SPECS[event.kind]
        if event.kind is Kind.TASK_DISPATCHED:
            self._attempts[event.task] = self._attempts.get(event.task, 0) + 1
        if spec.uses("attempt") and event.task >= 0 and not event.attempt:
            event.attempt = self._attempts.get(event.task, 1)
        if np.isnan(event.value) and spec.value in {Value.SECONDS, Value.NUMBER}:
            event.value = {"due": event.t, "ran": 0.0}.get(spec.value_name, 1.0)


def block_of(history: str, vocabulary: Vocabulary | None = None, *, until: float | None = None) -> Block:
    """The block that a history stands for."""
    parser = _Parser(vocabulary or Vocabulary())
    lines = (line for line in history.splitlines() if line.strip())
    return _block([event for line in lines for event in parser.parse(line)], until)


def _block(events: Sequence[_Event], until: float | None) -> Block:
    end_s = until if until is not None else events[-1].t if events else 0.0
    columns = {name: [getattr(event, name) for event in events] for name in ("t", "kind", *_COLUMNS)}
    return make_block(columns.pop("t"), columns.pop("kind"), until_s=end_s, **columns)


_COLUMNS = ("task", "attempt", "worker", "cause", "label", "value")


def closing(block: Block, *, census: bool = True) -> str:
    """The lines that end a run well: a census that agrees with the events, if there is to be one, and how much was planned."""
    states: dict[int, TaskState] = {}
    for task, kind in zip(block.task.tolist(), block.kind.tolist(), strict=True):
        if Kind(kind) in NEW_STATE:
            states[task] = NEW_STATE[Kind(kind)]
    counts = [f"{state.name.lower()}={list(states.values()).count(state)}" for state in CENSUS]
    planned = len([task for task in states if not task & COPY]) + int((block.kind == Kind.TASK_DUPLICATE).sum())
    has_one = not census or np.isin(block.kind, list(CENSUS.values())).any()
    said = "" if has_one else f"{block.until_s} census {' '.join(counts)}\n"
    return said if Kind.RUN_ENDED in block.kind else f"{said}{block.until_s} run.ended {planned}"


def observed(judge: Judge, blocks: Iterable[Block]) -> list[Block]:
    """Show blocks to a judge up to the end of the run; returns what it keeps of them."""
    kept = []
    for block in blocks:
        kept += list(judge.observe(block))
        if judge.aborted_by:
            break
    return kept


def make_judge(text: str = "", *, abort: bool = True, identity: Identity | None = None) -> Judge:
    """A judge that has seen nothing yet."""
    made = scenario(text)
    return Judge(made, Plan(made).vocabulary, abort=abort, identity=identity)


def judge(
    history: str,
    text: str = "",
    *,
    until: float | None = None,
    abort: bool = True,
    cuts: Sequence[int] = (),
    identity: Identity | None = None,
) -> Judge:
    """The judge that has seen a history under a scenario to its end; `cuts` are where its blocks end."""
    made = make_judge(text, abort=abort, identity=identity)
    block = block_of(history, made.vocabulary, until=until)
    observed(made, pieces(block, cuts))
    if not made.aborted_by:
        observed(made, [block_of(f"{block.until_s} run.ended", made.vocabulary)])
    return made


def pieces(block: Block, cuts: Sequence[int]) -> list[Block]:
    """The block cut before the events with these numbers; each piece is complete up to its last event."""
    edges = sorted({0, *cuts, len(block)})
    parts = [block.take(slice(a, b)) for a, b in pairwise(edges)]
    ended = [part.take(slice(None), float(part.t[-1])) for part in parts[:-1]]
    return [*ended, *(part.take(slice(None), block.until_s) for part in parts[-1:])] or [block]


def sli(name: str, history: str, text: str = "", *, until: float | None = None, **labels: str) -> float:
    """The value of an SLI after a history; only for these labels, if any (an objective must name them)."""
    made = judge(history, text, until=until)
    return made.sli_value(made.scenario.slis[name], made.labels.selected(tuple(labels.items())))


IDENTITY = Identity("test", hashlib.sha256(b"test").hexdigest(), 0, "simulation", "simulated")


def verdict(
    history: str,
    text: str = "",
    *,
    until: float | None = None,
    abort: bool = True,
    end: End | None = None,
    speed: float = 1.0,
    identity: Identity | None = None,
) -> Verdict:
    """The verdict on a history that ends well; `end`: it just ends there, in this way. `speed`: it was a real run, so fast.

    identity: of a run whose target says what it promises; such a history says all that the system reports of its tasks.
    """
    made = make_judge(text, abort=abort, identity=identity)
    block = block_of(history, made.vocabulary, until=until)
    observed(made, [block])
    if end is None and not made.aborted_by:
        observed(made, [block_of(closing(block, census=not identity), made.vocabulary)])
    told = identity or replace(IDENTITY, speed=speed)
    return decide(made, told, end or (End.ABORTED if made.aborted_by else End.COMPLETED))


def objective(wanted: str, history: str, text: str = "", *, until: float | None = None) -> ObjectiveResult:
    """How an objective comes out; `wanted` as it stands under `slos:`."""
    made = verdict(history, f"slos: [{wanted}]\n{dedent(text)}", until=until)
    return made.objectives[0]


CLEAN = """
0 enqueued 1
2 dispatched 1 w0
2 started 1
9 ended 1 ran=7
9 done 1
"""
RETRIED = """
0  enqueued 1
1  dispatched 1
1  started 1
3  ended 1 fault=net error=timeout
3  retry 1 fault=net error=timeout due=63
70 dispatched 1
70 started 1
80 ended 1
80 done 1
"""
EXPIRED = """
0   enqueued 1
1   dispatched 1 w0
1   started 1 w0
150 expired 1
150 retry 1 due=150 error=lease_expired
151 dispatched 1 w1
151 started 1 w1
160 ended 1
160 done 1
"""


def foreign(
    promises: str = "",
    *,
    level: int = 0,
    redelivery_s: float | None = None,
    roles: dict[str, str] | None = None,
    **left_out: str,
) -> Identity:
    """The identity of a run of a task system that a target file describes; its promises in words."""
    return replace(
        IDENTITY,
        clock="real",
        level=level,
        promises=tuple(promises.split()),
        redelivery_s=redelivery_s,
        left_out=left_out or None,
        roles=roles,
    )


def shifted(history: str, task: str, seconds: float) -> str:
    """The same history of another task, later."""
    lines = [line.split() for line in history.strip().splitlines()]
    moved = [(float(t) + seconds, " ".join([word, task, *rest])) for t, word, _, *rest in lines]
    return "\n".join(f"{t} {text}" for t, text in moved) + "\n"
