"""The run that calibrates: its scenario, its events, and how far it got."""

from pathlib import Path

from msgspec import Struct

from soak.runner.calibrate.attempts import kept_events
from soak.runner.calibrate.draws import changes, fits
from soak.runner.ends import end_after
from soak.runner.evidence.checksums import check_hashes
from soak.runner.evidence.directory import CHECKSUMS, SCENARIO, RunDirectory
from soak.runner.evidence.stream import StreamReader
from soak.runner.evidence.verify import load_stored
from soak.schemas.errors import EvidenceError, UsageError
from soak.schemas.evidence.verdict import End
from soak.schemas.language.load import Loaded
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.vocabulary import Vocabulary
from soak.simulation.plan import Plan
from soak.simulation.room import room_of


class Source(Struct, frozen=True):
    """A run as far as it is read: `ended_s` is when its last event took place, `gaps` how often its runner was gone,
    `sealed` whether there are hashes of its evidence: there are none of a run whose runner was killed."""

    directory: RunDirectory
    loaded: Loaded
    identity: Identity
    vocabulary: Vocabulary
    events: Block
    end: End
    ended_s: float
    gaps: int
    sealed: bool = True

    @property
    def whole(self) -> bool:
        """Whether it came to its own end."""
        return self.end is End.COMPLETED

    @property
    def speed(self) -> float:
        """How many times as fast as its scenario it was, on a real clock; 1 for a simulation, which has no computer in it."""
        return self.identity.speed if self.identity.clock == "real" else 1.0

    def reader(self, scenario: Scenario) -> tuple[StreamReader, Vocabulary]:
        """The stream from its beginning, and the words that it will be read with."""
        vocabulary = Plan(scenario).vocabulary
        return StreamReader(_stream(self.directory, self.loaded), vocabulary, scenario.horizon_s), vocabulary


def open_source(path: Path) -> Source:
    """The run in a directory. Raises UsageError when it is none, EvidenceError when its evidence cannot be used."""
    directory = RunDirectory.open(path)
    loaded = load_stored(directory)
    if not (room_of(loaded.scenario.system).calibrated and fits(loaded.scenario)):
        what = f"{path}: is a run of the system {loaded.scenario.system}, whose model cannot be calibrated"
        raise UsageError(f"{what} (compare it with its simulation: `soak compare BASE RUN --parity`)")
    if loaded.scenario.workload.kinds:
        what = f"{path}: is a run of several kinds of work, and the model of one is calibrated"
        raise UsageError(f"{what} (compare it with its simulation: `soak compare BASE RUN --parity`)")
    trace = loaded.scenario.workload.trace
    if trace is not None and trace.reading.service is not None:
        what = f"{path}: the trace of this run has the service times, and calibration fits those that are drawn"
        raise UsageError(f"{what} (calibrate by a run of the trace without service)")
    if changes(loaded.scenario):
        what = f"{path}: the number of workers changes in this run, and calibration takes it for constant"
        raise UsageError(f"{what} (calibrate by a run without schedule, scaling and faults of workers at times)")
    stream = _stream(directory, loaded)
    sealed = directory.file(CHECKSUMS).exists()
    if sealed:
        _refuse_changed(directory, (SCENARIO, stream.name))
    vocabulary = Plan(loaded.scenario).vocabulary
    reader = StreamReader(stream, vocabulary, loaded.scenario.horizon_s)
    if reader.identity.scenario_sha256 != loaded.sha256:
        raise EvidenceError(f"{directory.file(SCENARIO)}: is not the scenario of the event stream (its hash differs)")
    end, gaps, ended_s, blocks = End.CUT, 0, 0.0, []
    for block in reader.blocks():
        end = end_after(block, end)
        gaps += int((block.kind == Kind.RUN_RESUMED).sum())
        ended_s = block.until_s
        blocks.append(kept_events([block]))
    return Source(directory, loaded, reader.identity, vocabulary, kept_events(blocks), end, ended_s, gaps, sealed)


def _stream(directory: RunDirectory, loaded: Loaded) -> Path:
    return directory.stream(loaded.scenario.name)


def _refuse_changed(directory: RunDirectory, names: tuple[str, ...]) -> None:
    """Raise EvidenceError when what is read is not what was sealed."""
    changed = [f"{each.what} {each.problem}" for each in check_hashes(directory) if each.problem and each.what in names]
    if changed:
        raise EvidenceError(f"{directory.path}: {'; '.join(changed)} (its evidence was changed)")
