"""A run as others are compared with it: every SLI, over the whole run and over equal parts of it, and its tasks."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from soak.reports.data import RunData, read_run
from soak.runner.compare.parts import Parts, parts_as_long, parts_of
from soak.runner.evidence.checksums import check_hashes
from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.origin import other_release
from soak.runner.evidence.stream import StreamReader
from soak.runner.evidence.task_numbers import most_tasks
from soak.runner.evidence.verify import load_stored
from soak.runner.judge.judge import Judge
from soak.runner.parity.outcomes import Outcomes, make_room
from soak.schemas.errors import EvidenceError, UsageError, VersionError, reason
from soak.schemas.evidence.changes import BASELINE_VERSION, Baseline, BaselineSli
from soak.schemas.evidence.verdict import End
from soak.schemas.evidence.versions import decode_evidence
from soak.schemas.files import file_name
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import language_of
from soak.schemas.language.slis import Aggregate
from soak.simulation.plan import Plan


class Side(Struct, frozen=True):
    """One side of a comparison; `tasks`: what became of each, None where `without_tasks` says why they are not known."""

    baseline: Baseline
    tasks: Outcomes | None
    without_tasks: str
    until_s: float
    """Up to when work arrived, or could have before the run ended."""
    early: bool
    """Whether it ended before its time, with work left that it would have done."""
    said: dict[str, Any] | None
    """What its scenario says; None for a baseline, which holds a hash of it only."""
    release: str = ""
    """The other release that made and judged it, in words; empty where nothing says so."""


def read_sides(base: Path, run: Path) -> tuple[Side, Side]:
    """A base and a run, in parts of the same length: those of the base, or of the run if that is the shorter one.

    Raises UsageError or EvidenceError; UsageError, too, for runs of two systems.
    """
    if not base.is_dir():
        pinned = read_side(base)
        _refuse_two_systems(pinned.baseline.system, load_stored(RunDirectory.open(run)).scenario.system)
        return pinned, side_of(run, pinned.baseline.part_length_s)
    scenarios = [load_stored(RunDirectory.open(path)).scenario for path in (base, run)]
    _refuse_two_systems(*(each.system for each in scenarios))
    length_s = parts_of(min(scenarios, key=lambda each: each.duration_s)).length_s
    return side_of(base, length_s), side_of(run, length_s)


def _refuse_two_systems(base: str, run: str) -> None:
    if base and base != run:
        raise UsageError(f"the base is a run of the system {base}, the run one of {run} (compare runs of one system)")


def read_side(path: Path) -> Side:
    """A run directory, or a file that `soak baseline` wrote. Raises UsageError or EvidenceError."""
    if path.is_dir():
        return side_of(path)
    try:
        pinned = decode_evidence(path.read_bytes(), Baseline, path)
        return Side(pinned, None, f"{path.name} is a baseline, which holds no tasks", pinned.duration_s, False, None)
    except OSError as error:
        raise UsageError(f"{path}: {reason(error)} (name a run directory or a baseline)") from None
    except VersionError:
        raise
    except EvidenceError:
        raise EvidenceError(
            f"{path}: is not a baseline, or a damaged one (soak baseline RUN_DIR FILE writes one)"
        ) from None


def read_baseline(path: Path) -> Baseline:
    """The same without its tasks. Raises UsageError or EvidenceError."""
    return read_side(path).baseline


def baseline_of(path: Path) -> Baseline:
    """The baseline that a run makes. Raises UsageError or EvidenceError."""
    return side_of(path).baseline


def side_of(path: Path, part_s: float | None = None) -> Side:
    """A run with its tasks, those of a simulation; `part_s`: how long its parts are (None: as suits its scenario).

    Raises UsageError or EvidenceError.
    """
    directory = RunDirectory.open(path)
    if changed := [f"{each.what} {each.problem}" for each in check_hashes(directory) if each.problem]:
        raise EvidenceError(f"{path}: {'; '.join(changed)} (its evidence was changed)")
    data = read_run(path)
    simulated = data.verdict.clock == "simulated"
    loaded = load_stored(directory)
    scenario = loaded.scenario
    parts = parts_of(scenario) if part_s is None else parts_as_long(scenario.duration_s, part_s)
    work = language_of(scenario.system).work
    slices, tasks = _read_stream(directory, scenario, parts, tasks=simulated and work is None)
    baseline = _baseline(data, parts, scenario.system, slices)
    why = ""
    if work is not None:
        why = f"{work.units} of a {scenario.system} are not followed one by one"
    elif not simulated:
        why = f"{file_name(path.resolve())} ran on the real clock, which gives no task the same time twice"
    return Side(
        baseline=baseline,
        tasks=tasks,
        without_tasks=why,
        until_s=min(data.verdict.duration_s, data.verdict.ended_s),
        early=data.verdict.end is not End.COMPLETED,
        said=loaded.data,
        release=str(other_release(directory) or ""),
    )


def _baseline(data: RunData, parts: Parts, system: str, slices: Mapping[str, list[float | None]]) -> Baseline:
    """A run as others are compared with it; `slices`: the values of its parts, by SLI."""
    return Baseline(
        schema_version=BASELINE_VERSION,
        scenario=data.verdict.scenario,
        scenario_sha256=data.verdict.scenario_sha256,
        target=data.verdict.target,
        seed=data.verdict.seed,
        speed=data.manifest.speed,
        verdict=data.verdict.verdict,
        commit=data.manifest.git.sha if data.manifest.git else None,
        duration_s=data.verdict.duration_s,
        slis={
            name: BaselineSli(sli.unit.value, sli.better.value, data.verdict.slis.get(name), slices.get(name, []))
            for name, sli in data.scenario.slis.items()
        },
        system=system,
        part_s=parts.length_s,
    )


def _read_stream(
    directory: RunDirectory, scenario: Scenario, parts: Parts, *, tasks: bool
) -> tuple[dict[str, list[float | None]], Outcomes | None]:
    """By SLI of tasks, its value for the tasks that were due in each part of the run; and what became of every task."""
    phases = parts.phases
    sliced = replace(scenario, phases=phases, objectives=(), alerts=(), aborts=())
    plan = Plan(sliced)
    judge = Judge(sliced, plan.vocabulary, abort=False)
    labels = [judge.labels.selected((("phase", phase.name),)) for phase in phases]
    # A ratio of a part of the system has observations at all times, as one of tasks has.
    of_tasks = [sli for sli in sliced.slis.values() if sli.per_task or (sli.by and sli.aggregate is Aggregate.RATIO)]
    for sli in of_tasks:
        for label in labels:
            judge.folds.fold(sli, label)
    outcomes = Outcomes(most_tasks(plan)) if tasks else None
    stream = directory.stream(scenario.name)
    for block in StreamReader(stream, plan.vocabulary, scenario.horizon_s).blocks():
        if outcomes is not None:
            make_room(outcomes, block, plan, stream)
            outcomes.observe(block)
        for _ in judge.observe(block):
            pass
    return {sli.name: [_known(judge.sli_value(sli, label)) for label in labels] for sli in of_tasks}, outcomes


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
