"""An incomplete run, read back from its evidence to be resumed."""

import time
from datetime import datetime

from msgspec import Struct

from soak.runner.ends import end_after
from soak.runner.engine import Resumed
from soak.runner.evidence.directory import CHECKSUMS, RunDirectory
from soak.runner.evidence.manifest import read_manifest
from soak.runner.evidence.record import Recording
from soak.runner.evidence.stream import StreamReader
from soak.runner.evidence.task_numbers import task_limit
from soak.runner.evidence.verify import load_stored
from soak.runner.judge.judge import Judge
from soak.runner.targets.history import History
from soak.schemas.errors import UsageError
from soak.schemas.evidence.manifest import Manifest
from soak.schemas.evidence.verdict import End
from soak.schemas.language.load import Loaded
from soak.schemas.stream.identity import STREAM_VERSION, Identity
from soak.simulation.plan import Plan


class Past(Struct, frozen=True):
    """The contents of the run directory of an incomplete or interrupted run."""

    directory: RunDirectory
    loaded: Loaded
    manifest: Manifest
    identity: Identity
    plan: Plan
    history: History
    end: End
    """How it ended; CUT for an incomplete stream."""

    sealed: bool
    """Whether its evidence was sealed. Never for a run that ended by itself."""

    @property
    def worked_real_s(self) -> float:
        """How long its runners ran, in real seconds, without pauses."""
        began = datetime.strptime(self.manifest.started_at, "%Y-%m-%dT%H:%M:%S%z").timestamp()
        return max(0.0, time.time() - began - self.history.paused_real_s - self.history.pause_real_s)


def read_past(directory: RunDirectory) -> Past:
    """The run so far. Raises UsageError for one that has ended and was sealed, EvidenceError for a damaged one."""
    manifest = read_manifest(directory)
    loaded = load_stored(directory)
    plan = Plan(loaded.scenario)
    reader = _reader(directory, plan)
    if reader.identity.scenario_sha256 != loaded.sha256:
        raise UsageError(f"{directory.path}: scenario.yaml is not the scenario of the event stream (restore it)")
    if reader.version < STREAM_VERSION:
        what = f"its stream is of version {reader.version}, made by an earlier release"
        raise UsageError(f"{directory.path}: {what} (resume it with that release)")
    history, end, sealed = History(closed_s={} if plan.users else None), End.CUT, directory.file(CHECKSUMS).exists()
    for block in reader.blocks():
        end = end_after(block, end)
        history.observe(block)
    if (end.orderly or end is End.ABORTED) and sealed:
        what = f"this run has ended, {manifest.verdict or 'without a verdict'}"
        raise UsageError(f"{directory.path}: {what} (run it again: the manifest has the command)")
    written_at = directory.stream(plan.scenario.name).stat().st_mtime
    history.pause_real_s = max(0.0, time.time() - written_at)
    return Past(directory, loaded, manifest, reader.identity, plan, history, end, sealed)


def _reader(directory: RunDirectory, plan: Plan) -> StreamReader:
    return StreamReader(
        directory.stream(plan.scenario.name), plan.vocabulary, plan.scenario.horizon_s, task_limit(plan)
    )


def replay(past: Past, recording: Recording) -> Resumed:
    """Replay the recorded events to judge and metrics, so that windows, alerts and timers are restored."""
    judge = Judge.of(past.plan.scenario, past.plan.vocabulary, past.identity)
    for block in _reader(past.directory, past.plan).blocks():
        for part in judge.observe(block):
            recording.replay(part, judge.facts)
    recording.take_over()
    history = past.history
    return Resumed(judge, history.lived_s - history.until_s, history.pause_real_s)
