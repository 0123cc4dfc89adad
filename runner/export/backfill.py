"""The time series of a finished run, recomputed from its event stream, for import into a database."""

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from soak.runner.evidence.directory import VERDICT, RunDirectory
from soak.runner.evidence.manifest import read_manifest
from soak.runner.evidence.stream import StreamReader
from soak.runner.evidence.verify import load_stored
from soak.runner.export.metrics import Levels, MetricSnapshot, run_labels, snapshot_of
from soak.runner.judge.judge import Judge
from soak.schemas.errors import UsageError
from soak.schemas.evidence.manifest import Manifest
from soak.schemas.evidence.verdict import Status, Verdict, paused_s
from soak.schemas.evidence.versions import decode_evidence
from soak.schemas.files import file_name
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.units import show_duration
from soak.simulation.plan import Plan

SUITABLE_STEPS, MOST_STEPS = 1_000, 20_000
"""Default and maximum number of snapshots: each takes some 25 kB of memory."""

UNFINISHED = "none"
"""The verdict label of a run without a verdict."""


def snapshots_of(
    directory: RunDirectory, step_s: float | None, start: datetime | None, progress: Callable[[float], None]
) -> list[MetricSnapshot]:
    """A snapshot every `step_s` of scenario time (None: suitable for the run), and one at the end.

    `start`: wall-clock time of scenario time zero. Default: the start of a real run; a simulated run is shifted into the past,
    so that it ended when it was made. `progress` is called with the share done. Raises
    EvidenceError; UsageError for a step that is too short.
    """
    scenario, manifest = load_stored(directory).scenario, read_manifest(directory)
    step_s = step_s or _suitable_step_s(scenario)
    if scenario.horizon_s / step_s > MOST_STEPS:
        least_s = 60 * math.ceil(scenario.horizon_s / MOST_STEPS / 60)
        raise UsageError(
            f"--step {show_duration(step_s)} gives too many samples (write {show_duration(least_s)} or more)"
        )
    plan = Plan(scenario)
    reader = StreamReader(directory.stream(scenario.name), plan.vocabulary, scenario.horizon_s)
    judge = Judge.of(scenario, plan.vocabulary, reader.identity)
    levels, speed = Levels(scenario), reader.identity.speed
    own = run_labels(scenario.name, reader.identity.target, file_name(directory.path.resolve()))

    def take(verdict: str = "", statuses: Sequence[Status] = ()) -> MetricSnapshot:
        progress(min(1.0, judge.until_s / scenario.duration_s))
        time_s = judge.until_s / speed + paused_s(judge.resumes, judge.until_s)
        return snapshot_of(judge, levels, own, time_s=time_s, speed=speed, verdict=verdict, statuses=statuses)

    taken = []
    for block, is_step in _in_steps(reader.blocks(), step_s):
        for part in judge.observe(block):
            levels.append(part, judge.facts)
        if is_step:
            taken.append(take())
    taken.append(take(manifest.verdict or UNFINISHED, _statuses(directory, judge) if manifest.verdict else ()))
    began_s = start.timestamp() if start else zero_s(manifest, judge.until_s, scenario.start)
    return [snapshot.later(began_s) for snapshot in taken]


def _statuses(directory: RunDirectory, judge: Judge) -> list[Status]:
    """Of all objectives, as the verdict has them; empty where it is of others than this release judges."""
    verdict = decode_evidence(directory.read(VERDICT), Verdict, directory.file(VERDICT))
    texts = [each.comparison.text for each in judge.scenario.objectives]
    same = texts == [each.objective for each in verdict.applicable]
    return [each.status for each in verdict.applicable] if same else []


def _in_steps(blocks: Iterator[Block], step_s: float) -> Iterator[tuple[Block, bool]]:
    """The blocks, cut at every multiple of `step_s`, and whether each ends at one; none ends where the run does."""
    steps = 1
    for block in blocks:
        rest = block
        while steps * step_s < rest.until_s:
            first, rest = rest.split(steps * step_s)
            yield first, True
            steps += 1
        yield rest, False


def _suitable_step_s(scenario: Scenario) -> float:
    """A whole number of minutes that gives at most SUITABLE_STEPS."""
    return 60.0 * math.ceil(scenario.horizon_s / SUITABLE_STEPS / 60)


def zero_s(manifest: Manifest, ended_s: float, start: datetime | None) -> float:
    """Unix time of scenario time zero, of a run that ended at `ended_s` of scenario time; `start`: what the scenario says."""
    if start and manifest.clock != "real":
        return start.timestamp()
    began_s = datetime.fromisoformat(manifest.started_at).timestamp()
    return began_s if manifest.clock == "real" else began_s - ended_s
