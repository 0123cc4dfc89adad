"""A run that broke off, read back from its evidence so that it can go on."""

import time
from dataclasses import dataclass

from runner.engine import Resumed
from runner.evidence.directory import CHECKSUMS, RunDirectory, stream_name
from runner.evidence.manifest import read_manifest
from runner.evidence.record import Recording
from runner.evidence.stream import StreamReader
from runner.evidence.verify import load_stored
from runner.judge.judge import Judge
from runner.targets.history import History
from schemas.errors import UsageError
from schemas.events import Kind
from schemas.identity import Identity
from schemas.load import Loaded
from schemas.manifest import Manifest
from schemas.verdict import End
from simulation.plan import Plan

_ENDS = {Kind.RUN_ENDED: End.COMPLETED, Kind.RUN_ABORTED: End.ABORTED, Kind.RUN_INTERRUPTED: End.INTERRUPTED}


@dataclass(frozen=True, slots=True)
class Past:
    """What a run directory tells of a run that broke off."""

    directory: RunDirectory
    loaded: Loaded
    manifest: Manifest
    identity: Identity
    plan: Plan
    history: History
    end: End | None
    """How it ended; None for a run that broke off. One that ended was not judged, or not sealed."""


def read_past(directory: RunDirectory) -> Past:
    """The run so far. Raises UsageError for a run that has ended and was sealed, EvidenceError for one that cannot be read."""
    manifest = read_manifest(directory)
    loaded = load_stored(directory)
    plan = Plan(loaded.scenario)
    reader = _reader(directory, plan)
    if reader.identity.scenario_sha256 != loaded.sha256:
        raise UsageError(
            f"{directory.path}: its scenario is not the one its stream was made with (restore scenario.yaml)"
        )
    history, end = History(), None
    for block in reader.blocks():
        end = next((how for kind, how in _ENDS.items() if (block.kind == kind).any()), end)
        history.observe(block)
    if end and directory.file(CHECKSUMS).exists():
        raise UsageError(f"{directory.path}: this run has come to its end, {manifest.verdict or 'without a verdict'}")
    stream = directory.file(stream_name(plan.scenario.name))
    history.gap_real_s = max(0.0, time.time() - stream.stat().st_mtime)
    return Past(directory, loaded, manifest, reader.identity, plan, history, end)


def _reader(directory: RunDirectory, plan: Plan) -> StreamReader:
    return StreamReader(directory.file(stream_name(plan.scenario.name)), plan.vocabulary, plan.scenario.horizon_s)


def replay(past: Past, recording: Recording) -> Resumed:
    """Show the judge and the metrics what there is, so that windows, alerts and timers stand where they stood."""
    judge = Judge.of(past.plan.scenario, past.plan.vocabulary, past.identity)
    for block in _reader(past.directory, past.plan).blocks():
        for part in judge.observe(block):
            recording.replay(part, judge.facts)
    return Resumed(judge, past.history.gap_real_s * past.identity.speed)
