"""The fast judge of replications beside the ordinary one: replications by both, and what both make of the same blocks."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import numpy as np

from soak.runner.engine import execute, identify
from soak.runner.evidence.record import verdict_files
from soak.runner.judge import sweep
from soak.runner.judge.decide import decide
from soak.runner.judge.judge import Judge
from soak.runner.judge.lifecycle import Lifecycle
from soak.runner.judge.need import EVERYTHING, Need
from soak.runner.judge.queue import compiled, compiled_exposure, follow
from soak.runner.judge.queue.tracker import QueueTracker
from soak.runner.judge.samples import Facts, Samples
from soak.runner.replications.replication import Job, Replication, _outcome, replicate
from soak.runner.targets.simulation import Simulation
from soak.schemas.evidence.verdict import End
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import COLUMNS, Block, merge
from soak.schemas.stream.events import COPY
from soak.schemas.stream.identity import Identity
from soak.simulation.compiled.calls import Library
from soak.simulation.compiled.library import Unavailable
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

LEAN = Need(findings=False)
"""What needs no explanation, but every indicator."""


def ordinary(job: Job) -> Replication:
    """A replication by the judge of runs, without compiled code."""
    with without_compiled():
        target, plan = Simulation(), Plan(job.scenario, job.seed)
        identity = identify(job.scenario, "", job.seed, target, abort=not job.in_full)
        return _outcome(job, *execute(plan, target, identity), None)


def both(job: Job) -> tuple[Replication, Replication]:
    """A replication as it is made, and by the ordinary judge."""
    return replicate(job), ordinary(job)


@contextmanager
def without_compiled(*parts: Library) -> Iterator[None]:
    """As on a machine without a compiler, as far as these parts of judges are concerned; without any, all of them."""

    def unavailable() -> NoReturn:
        raise Unavailable("this is a test")

    parts = parts or (follow.LIBRARY, compiled_exposure.LIBRARY, sweep.LIBRARY)
    for each in parts:
        each.load = unavailable  # type: ignore[method-assign]
    try:
        yield
    finally:
        for each in parts:
            del each.load  # type: ignore[method-assign]


def is_followed(scenario: Scenario) -> bool:
    """Whether compiled code follows the tasks of a scenario in a simulation."""
    return all(
        isinstance(judge_of(scenario, need).lifecycle, compiled.CompiledLifecycle) for need in (LEAN, EVERYTHING)
    )


def judge_of(scenario: Scenario, need: Need = LEAN) -> Judge:
    """The judge of a replication, or what else is needed."""
    plan = Plan(scenario)
    return Judge.of(scenario, plan.vocabulary, identify(scenario, "", plan.seed, Simulation(), abort=True), need)


def differences(
    scenario: Scenario, seed: int, need: Need = LEAN, *, spoil: bool = False, noted: set[str] | None = None
) -> list[str]:
    """What both judges make of the blocks of a simulation, cut at random places, where it is not the same.

    spoil: events are lost, changed and made twice before. noted: is given what violations there were, with their causes.
    """
    plan = Plan(scenario, seed)
    whole = merge(list(simulate(plan)))
    if spoil:
        whole = spoiled(whole, random.Random(seed))
    identity = identify(scenario, "", seed, Simulation(), abort=True)
    fast = Judge.of(scenario, plan.vocabulary, identity, need)
    # What faults could have struck is counted alike only where all of it was seen.
    parts = (follow.LIBRARY,) if spoil else ()
    with without_compiled(*parts):
        usual = Judge.of(scenario, plan.vocabulary, identity)
    # Without checkpoints both have the same parts.
    usual.with_findings = need.findings
    if need.findings:
        # Whatever the scenario asks for.
        usual.records.wanted = fast.records.wanted = frozenset(follow.SERIES)
    found: list[str] = []
    for block in cut(whole, random.Random(seed)):
        told = list(_facts(fast, block))
        with without_compiled(*parts):
            for one, two in zip(_facts(usual, block), told, strict=True):
                found += _unlike(one, two)
                if noted is not None:
                    noted |= {f"{each.of}: {each.words[cause]}" for each in one.violations for cause in each.cause}
        found += [f"at {block.until_s}: {each}" for each in _unlike_state(usual, fast)]
        if found or usual.aborted_by:
            break
    if need.findings and not found:
        found += _unlike_verdict(usual, fast, identity)
    return found


_CHANGED = ("kind", "task", "worker", "cause", "label", "value")


def spoiled(block: Block, dice: random.Random) -> Block:
    """The same with some events of tasks lost, changed, of the other task of their key, or there once more."""
    columns, kept = {name: getattr(block, name).copy() for name in COLUMNS}, np.ones(len(block), dtype=np.bool_)
    places = np.flatnonzero(block.task >= 0)
    for each in dice.sample(range(len(places)), len(places) // dice.choice([2, 20, 200])):
        place, other = places[each], places[min(len(places) - 1, max(0, each + dice.randint(-20, 20)))]
        match dice.choice([*_CHANGED, "attempt", "copy", "lost", "again"]):
            case "lost":
                kept[place] = False
            case "copy":
                columns["task"][place] ^= COPY
            case "attempt":
                columns["attempt"][place] += dice.randint(0, 5)
            case "again":
                for name in COLUMNS[1:]:
                    columns[name][other] = columns[name][place]
            case name if name != "value" or not np.isnan(columns["value"][other]):
                # A reader refuses kinds without their value.
                for changed in (name, "value") if name == "kind" else (name,):
                    columns[changed][place] = columns[changed][other]
    return Block(**columns, until_s=block.until_s).take(kept)


def cut(block: Block, dice: random.Random) -> Iterator[Block]:
    """The block in parts; each ends at an event, before or after it, or between two."""
    places = sorted(dice.sample(range(1, len(block)), min(len(block) - 1, dice.choice([0, 1, 3, 12]))))
    begin = 0
    for place in places:
        until_s = dice.choice([float(block.t[place - 1]), float(block.t[place])])
        yield block.take(slice(begin, place), until_s)
        begin = place
    yield block.take(slice(begin, None))


def _facts(judge: Judge, block: Block) -> Iterator[Facts]:
    for _ in judge.observe(block):
        yield judge.facts


def _unlike(usual: Facts, fast: Facts) -> Iterator[str]:
    for name in sorted({*fast.series, *usual.series} - {"telemetry", "stall"}):
        if name in fast.series and not same(usual.get(name), fast.get(name)):
            yield f"series {name} up to {usual.until_s}"
    for name in ("telemetry", "stall"):
        one, two = ([each for each in facts.stretches[name] if each.length_s > 0] for facts in (usual, fast))
        if one != two or usual.get(name).exposed != fast.get(name).exposed:
            yield f"stretches {name} up to {usual.until_s}: {one} and {two}"

    if fast.wanted and (one := _violations(usual)) != (two := _violations(fast)):
        yield f"violations up to {usual.until_s}: {sorted(one ^ two)[:5]}"


def _violations(facts: Facts) -> set[tuple[object, ...]]:
    """The violations of a block, with all that is said of them."""
    return {
        (
            *(each.of, int(place), each.words[int(each.cause[n])], *each.told(n)),
            *(-1 if column is None else int(column[n]) for column in (each.label, each.amount)),
        )
        for each in facts.violations
        for n, place in enumerate(each.places)
    }


def _running(lifecycle: Lifecycle) -> object:
    """The executions that are known to run, and whose lease has expired."""
    assert isinstance(lifecycle.tracker, QueueTracker)
    duplicates = lifecycle.tracker._duplicates
    return duplicates._running, duplicates._expired


def _unlike_verdict(usual: Judge, fast: Judge, identity: Identity) -> Iterator[str]:
    """What is written at the end: verdict, checkpoints, alerts."""
    end = End.ABORTED if usual.aborted_by else End.INTERRUPTED
    one, two = (verdict_files(decide(judge, identity, end), judge) for judge in (usual, fast))
    yield from (f"{name} differs" for name in one if one[name] != two[name])


def same(one: Samples, two: Samples) -> bool:
    """Whether two series are the same to the last bit."""
    columns = [(one.t, two.t), (one.value, two.value), (one.weights, two.weights)]
    if len(one) and one.label is not None and two.label is not None:
        columns.append((one.label, two.label))
    labelled = not len(one) or (one.label is None) == (two.label is None)
    return labelled and all(np.array_equal(a, b, equal_nan=True) for a, b in columns)


def _unlike_state(usual: Judge, fast: Judge) -> Iterator[str]:
    """What both know of tasks at the end of a block."""
    one, two = usual.lifecycle, fast.lifecycle
    asked: dict[str, tuple[object, object]] = {
        "states": (one.state_counts(), two.state_counts()),
        "accepted": (one.accepted, two.accepted),
        "offered": (one.offered, two.offered),
        "census": (one.census, two.census),
        "unfinished": (one.unfinished(), two.unfinished()),
        "expired": (one.open_sum("expired", None), two.open_sum("expired", None)),
        "laws": (list(one.tracker.laws(one, complete=True)), list(two.tracker.laws(two, complete=True))),
        "kinds": (usual.kinds_seen.tolist(), fast.kinds_seen.tolist()),
        "errors": (usual.faults.errors(), fast.faults.errors()),
        "retries": (usual.faults.retries_by_attempt(), fast.faults.retries_by_attempt()),
        "faults": (usual.faults.results(usual.until_s), fast.faults.results(fast.until_s)),
        "slis": (usual.slis(), fast.slis()),
        "telemetry": (usual.telemetry.longest_gap_s, fast.telemetry.longest_gap_s),
    }
    if fast.need.findings:
        asked["slowest"] = one.slowest, two.slowest
        asked["running"] = _running(one), _running(two)
        asked["consequences"] = list(one.tracker.consequences(one)), list(two.tracker.consequences(two))
    yield from (f"{name}: {a} and {b}" for name, (a, b) in asked.items() if a != b)
    if not np.allclose(one.littles_law(), two.littles_law(), rtol=1e-9, atol=1e-6):
        yield f"Little's law: {one.littles_law()} and {two.littles_law()}"
    numbers = one.table.open_numbers()
    if not np.array_equal(numbers, two.table.open_numbers()):
        yield "open tasks"
        return
    for name in ("accepted", "due", "ready", "since", "entered", "wait", "transient", "running", "not_before"):
        if not np.array_equal(one.table.get(name, numbers), two.table.get(name, numbers)):
            yield f"column {name}"
