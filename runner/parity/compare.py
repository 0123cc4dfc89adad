"""The comparison of two runs as a whole."""

from collections.abc import Iterable, Iterator

import numpy as np

from soak.runner.evidence.task_numbers import task_name
from soak.runner.parity.figures import Measure, Pairs, latency_figures, series_figures, sli_figures, task_figures
from soak.runner.parity.outcomes import Outcomes
from soak.runner.parity.overhead import HostOverhead, explained
from soak.runner.parity.source import Source
from soak.schemas.evidence.parity import (
    SCHEMA_VERSION,
    Agreement,
    Figure,
    Latencies,
    Parity,
    ParityRun,
    TaskDifference,
    Topic,
)
from soak.schemas.evidence.verdict import ReasonKind
from soak.schemas.language.expression import Unit
from soak.schemas.stream.block import Block, Bools, Ints
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import NEW_STATE, SPECS, Kind
from soak.schemas.stream.states import TaskState
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.units import show_duration

MOST_LISTED = 5
"""How many tasks of each kind of difference are listed with their histories."""
MOST_EVENTS = 12
_TOLD = kind_flags(*NEW_STATE, Kind.TASK_SKIPPED, Kind.LEASE_EXPIRED, Kind.LEASE_REFUSED)


def compare(base: Source, run: Source) -> tuple[Parity, Latencies]:
    """Compare two runs that are comparable. Raises EvidenceError when a stream cannot be used."""
    (base_tasks, base_own), (run_tasks, run_own) = base.outcomes(), run.outcomes()
    pairs = Pairs.of(base_tasks, run_tasks)
    interval_s = base.loaded.scenario.telemetry.sample_interval_s
    measure, latencies = Measure(max(base.identity.speed, run.identity.speed), interval_s), pairs.latencies()
    probed = {name: (each, run_own.probed()[name]) for name, each in base_own.probed().items()}
    figures = [
        *(task_figures(pairs, measure) if pairs.seen.any() else ()),
        *(latency_figures(latencies, measure) if pairs.seen.any() else ()),
        *series_figures(list(base_own.series()), list(run_own.series()), measure),
        *sli_figures(base.loaded.scenario.slis, base.verdict.slis, run.verdict.slis, measure, probed),
    ]
    overhead = HostOverhead.of(pairs)
    if run.identity.clock == "real" and base.identity.clock == "simulated":
        figures = list(explained(figures, overhead, measure.overhead_s))
    reasons = list(_reasons(base, run, pairs, figures))
    other_state, other_attempts = _first(pairs.other_state), _first(pairs.other_attempts & ~pairs.other_state)
    listed = list(_task_differences(base, run, pairs, np.concatenate([other_state, other_attempts])))
    parity = Parity(
        schema_version=SCHEMA_VERSION,
        status=_status(pairs, figures, reasons),
        reasons=[*_late(base, run, figures), *reasons, *_host(figures, overhead)],
        scenario=base.identity.scenario,
        scenario_sha256=base.identity.scenario_sha256,
        seed=base.identity.seed,
        base=_side(base, pairs.base),
        run=_side(run, pairs.run),
        overhead_s=measure.overhead_s,
        tasks=pairs.counts(),
        figures=figures,
        other_state=listed[: len(other_state)],
        other_attempts=listed[len(other_state) :],
    )
    return parity, latencies


def _side(source: Source, outcomes: Outcomes) -> ParityRun:
    identity, verdict = source.identity, source.verdict
    return ParityRun(
        directory=source.name,
        target=identity.target,
        clock=identity.clock,
        speed=identity.speed,
        end=verdict.end,
        verdict=verdict.verdict,
        ended_s=verdict.ended_s,
        events=outcomes.events,
    )


def _status(pairs: Pairs, figures: list[Figure], reasons: list[str]) -> Agreement:
    if not _comparable(pairs, figures):
        return Agreement.NOT_COMPARED
    if reasons:
        return Agreement.DIFFERS
    return Agreement.EXPLAINED if _explained_of(figures) else Agreement.AGREES


def _explained_of(figures: list[Figure]) -> list[Figure]:
    return [each for each in figures if each.status is Agreement.EXPLAINED]


def _late(base: Source, run: Source, figures: list[Figure]) -> Iterator[str]:
    """What to do where a load generator fell behind: said before what that may have caused."""
    agree = {Agreement.AGREES, Agreement.NOT_COMPARED}
    if all(each.status in agree for each in figures):
        return
    of_both = [*base.verdict.typed_reasons, *run.verdict.typed_reasons]
    if any(each.kind is ReasonKind.LATENESS for each in of_both):
        yield "this host was too busy: repeat at a lower --speed"


def _host(figures: list[Figure], overhead: HostOverhead) -> Iterator[str]:
    """What this host's overhead explains, and what was measured of it."""
    if found := _explained_of(figures):
        names = ", ".join(each.name for each in found)
        yield f"explained by this host's overhead ({overhead.words()}): {names}"


def _reasons(base: Source, run: Source, pairs: Pairs, figures: list[Figure]) -> Iterator[str]:
    """Why the runs do not agree, one sentence each."""
    if not _comparable(pairs, figures):
        yield "neither run has a task: there is nothing to compare"
    if base.verdict.end is not run.verdict.end:
        yield f"the base ended {base.verdict.end.value}, the run {run.verdict.end.value}"
    for figure in figures:
        if figure.status is Agreement.DIFFERS:
            yield f"{figure.name} {_by_how_much(figure)}"


def _comparable(pairs: Pairs, figures: list[Figure]) -> bool:
    """Whether there is anything that says more than indicators."""
    own = any(each.topic is Topic.SYSTEM and each.status is not Agreement.NOT_COMPARED for each in figures)
    return own or bool(pairs.seen.any())


def _by_how_much(figure: Figure) -> str:
    if figure.difference is None or figure.allowed is None:
        return f"was {figure.detail}"
    unit = Unit(figure.unit)
    values = [] if figure.base is None or figure.run is None else [figure.base, figure.run]
    of = f" ({unit.show(values[0])} and {unit.show(values[1])})" if values else ""
    return f"differs by {unit.show(abs(figure.difference))}{of}, {unit.show(figure.allowed)} allowed"


def _first(chosen: Bools) -> Ints:
    return np.flatnonzero(chosen)[:MOST_LISTED]


def _task_differences(base: Source, run: Source, pairs: Pairs, numbers: Ints) -> Iterator[TaskDifference]:
    if not len(numbers):
        return
    told = [short_histories(each.reader().blocks(), numbers, each.plan.vocabulary) for each in (base, run)]
    for number in numbers.tolist():
        yield TaskDifference(
            task=task_name(number),
            base_state=TaskState(int(pairs.base.states[number])).name,
            run_state=TaskState(int(pairs.run.states[number])).name,
            base_attempts=int(pairs.base.attempts[number]),
            run_attempts=int(pairs.run.attempts[number]),
            base_history=told[0][number],
            run_history=told[1][number],
        )


def short_histories(blocks: Iterable[Block], numbers: Ints, vocabulary: Vocabulary) -> dict[int, str]:
    """The history of each of the tasks `numbers`, such as `enqueued 3h4m, dispatched +1.2s, retry +9s (timeout), …`.

    `no event` for one that the run has nothing of.
    """
    told: dict[int, list[str]] = {number: [] for number in numbers.tolist()}
    first_s: dict[int, float] = {}
    for block in blocks:
        for place in np.flatnonzero(_TOLD[block.kind] & np.isin(block.task, numbers)).tolist():
            number, t_s = int(block.task[place]), float(block.t[place])
            since = f"+{show_duration(t_s - first_s[number])}" if number in first_s else show_duration(t_s)
            first_s.setdefault(number, t_s)
            told[number].append(f"{_word(block, place)} {since}{_why(block, place, vocabulary)}")
    return {number: _in_short(events) for number, events in told.items()}


def _word(block: Block, place: int) -> str:
    return SPECS[Kind(int(block.kind[place]))].type.removeprefix("task.")


def _why(block: Block, place: int, vocabulary: Vocabulary) -> str:
    cause = vocabulary.causes[int(block.cause[place])]
    return f" ({cause.error or cause.fault})" if cause.error or cause.fault else ""


def _in_short(events: list[str]) -> str:
    if len(events) > MOST_EVENTS:
        half = MOST_EVENTS // 2
        events = [*events[:half], f"… {len(events) - 2 * half} more …", *events[-half:]]
    return ", ".join(events) or "no event"
