"""What two engines make of the same scenario, compared byte by byte."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from engines.generated import Generated
from engines.judges import ordinary, without_compiled
from soak.runner.engine import execute, identify
from soak.runner.evidence import lines
from soak.runner.evidence.directory import CHECKSUMS, MANIFEST
from soak.runner.evidence.record import Recording, to_json, verdict_files
from soak.runner.replications.replication import Job, replicate
from soak.runner.targets.simulation import Simulation
from soak.schemas.language.load import Loaded, load
from soak.schemas.stream.kinds import Kind
from soak.simulation import blocks, run
from soak.simulation.compiled.engine import Engine, Ran
from soak.simulation.plan import Plan

REFERENCE, OTHER = Engine.SIMPY, Engine.AUTO
NAME_THE_RUN = frozenset({MANIFEST, CHECKSUMS})
"""Files of the evidence that name the engine and the time, or hold the hash of one that does."""


@dataclass(frozen=True)
class Difference:
    """The first place at which a file of one engine is not that of the other; lines are numbered from 1."""

    file: str
    line: int
    one: str
    other: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}\n    {REFERENCE.value}: {self.one}\n    {OTHER.value}: {self.other}"


@dataclass
class Compared:
    """A scenario on both engines. why_not: what kept it from being compiled; empty: it ran compiled."""

    seed: int
    differences: list[Difference] = field(default_factory=list)
    why_not: str = ""
    kinds: frozenset[Kind] = frozenset()


@dataclass(frozen=True)
class Stream:
    """The events of a scenario on an engine, as files: `events`, and `blocks`, which says where blocks end."""

    loaded: Loaded
    files: Mapping[str, bytes]
    kinds: frozenset[Kind]
    ran: Ran


def compare(drawn: Generated, *, judged: bool = False, whole: bool = False) -> Compared:
    """Run a scenario on both engines and compare the events; if asked, the verdicts on them, and the whole evidence, too.

    The verdict of a replication is one of them: its judge is another.

    Raises ScenarioError for a scenario that is not valid, which is a mistake of the generator.
    """
    with tempfile.TemporaryDirectory(prefix="engines-") as folder, _blocks_of(drawn.block):
        loaded = load(drawn.write(Path(folder)))
        one, other = (streamed(loaded, drawn.block, engine) for engine in (REFERENCE, OTHER))
        found = differences(one.files, other.files)
        if judged and not found:
            found = differences(*(_judged(loaded, drawn, engine) for engine in (REFERENCE, OTHER)))
            found += differences(*_replicated(loaded, drawn))
        if whole and not found:
            found = differences(*(_evidence(loaded, drawn, each, Path(folder) / each) for each in (REFERENCE, OTHER)))
    return Compared(drawn.seed, found, other.ran.why, one.kinds)


@contextmanager
def _blocks_of(events: int) -> Iterator[None]:
    """Make simulations hand out blocks of about this many events."""
    before, run.EVENTS_PER_BLOCK = run.EVENTS_PER_BLOCK, events
    try:
        yield
    finally:
        run.EVENTS_PER_BLOCK = before


@contextmanager
def _as_meant(engine: Engine) -> Iterator[None]:
    """With the reference nothing runs compiled: neither blocks of rows, nor lines of blocks, nor the judge."""
    before = blocks.compiled, lines.formatter_for
    if engine is REFERENCE:
        blocks.compiled, lines.formatter_for = (lambda due, pieces, until_s: None), (lambda vocabulary, last: None)
    try:
        with without_compiled() if engine is REFERENCE else nullcontext():
            yield
    finally:
        blocks.compiled, lines.formatter_for = before


def streamed(loaded: Loaded, block: int, engine: Engine) -> Stream:
    """The events of a scenario on an engine, in blocks of about this many. Raises Unavailable."""
    plan, ran = Plan(loaded.scenario), run.engine_for(loaded.scenario, engine)
    formatter, text, ends, kinds = lines.LineFormatter(plan.vocabulary), list[bytes](), list[str](), set[int]()
    with _blocks_of(block), _as_meant(engine):
        for each in run.simulate(plan, ran.engine):
            text.append(formatter.format(each))
            ends.append(f"{len(each)} events until {each.until_s!r}\n")
            kinds.update(each.kind.tolist())
    files = {"events": b"".join(text), "blocks": "".join(ends).encode()}
    return Stream(loaded, files, frozenset(map(Kind, kinds)), ran)


def _judged(loaded: Loaded, drawn: Generated, engine: Engine) -> Mapping[str, bytes]:
    """The verdict and what is written beside it."""
    plan, target = Plan(loaded.scenario), Simulation(engine)
    identity = identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=drawn.abort, stop=drawn.stop)
    with _as_meant(engine):
        return verdict_files(*execute(plan, target, identity))


def _replicated(loaded: Loaded, drawn: Generated) -> Iterator[Mapping[str, bytes]]:
    """A replication by the judge of runs, and as replications are made; on the engine that is chosen."""
    scenario = loaded.simulated().scenario
    job = Job(0, scenario.seed, scenario, in_full=not drawn.abort, detailed=drawn.abort)
    yield from ({"replication": to_json(make(job))} for make in (ordinary, replicate))


def _evidence(loaded: Loaded, drawn: Generated, engine: Engine, out: Path) -> Mapping[str, bytes]:
    """All files of the evidence, but for those that name engine and time, and the report, which is made of them."""
    plan, target = Plan(loaded.scenario), Simulation(engine)
    identity = identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=drawn.abort, stop=drawn.stop)
    with _as_meant(engine), Recording.start(out, loaded, identity, plan) as recording:
        recording.finish(*execute(plan, target, identity, (recording,)))
    found = sorted(path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): path.read_bytes() for path in found if path.name not in NAME_THE_RUN}


def differences(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> list[Difference]:
    """The first difference in each file; a file that only one has is empty in the other."""
    found = (_difference(name, one.get(name, b""), other.get(name, b"")) for name in sorted({*one, *other}))
    return [each for each in found if each]


def _difference(name: str, one: bytes, other: bytes) -> Difference | None:
    if one == other:
        return None
    pairs = enumerate(zip_longest(one.splitlines(), other.splitlines(), fillvalue=b"(no more lines)"), 1)
    number, (mine, theirs) = next(((number, pair) for number, pair in pairs if pair[0] != pair[1]), (0, (b"", b"")))
    return Difference(name, number, mine.decode(errors="replace"), theirs.decode(errors="replace"))
