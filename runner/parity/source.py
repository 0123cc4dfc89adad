"""The two runs to be compared: opened, checked against themselves, and refused when they are not of the same work."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from soak.runner.ends import end_after
from soak.runner.evidence.directory import SCENARIO, VERDICT, RunDirectory
from soak.runner.evidence.stream import StreamReader
from soak.runner.evidence.task_numbers import most_tasks
from soak.runner.evidence.verify import load_stored
from soak.runner.judge.comparable import Comparable
from soak.runner.judge.room import room_of
from soak.runner.parity.outcomes import Outcomes, make_room
from soak.schemas.errors import EvidenceError, UsageError, Where, quoted, show_path
from soak.schemas.evidence.verdict import End, Verdict
from soak.schemas.evidence.versions import decode_evidence
from soak.schemas.files import file_name
from soak.schemas.language.load import Loaded
from soak.schemas.stream.identity import Identity
from soak.simulation.plan import Plan

_MOST_TOLD = 3


class Source(Struct, frozen=True):
    """A run directory whose scenario, stream and verdict belong together."""

    directory: RunDirectory
    loaded: Loaded
    plan: Plan
    identity: Identity
    verdict: Verdict

    @property
    def name(self) -> str:
        """The name of the directory, without its folder."""
        return file_name(self.directory.path.resolve())

    def reader(self) -> StreamReader:
        """The event stream, from its beginning."""
        return StreamReader(self._stream, self.plan.vocabulary)

    @property
    def _stream(self) -> Path:
        return self.directory.stream(self.loaded.scenario.name)

    def outcomes(self) -> tuple[Outcomes, Comparable]:
        """What became of every task, and the system's own figures. Raises EvidenceError for a damaged or incomplete stream."""
        outcomes, reader, end = Outcomes(most_tasks(self.plan)), self.reader(), End.CUT
        scenario = self.loaded.scenario
        comparable = room_of(scenario.system).comparable(scenario, self.plan.vocabulary)
        for block in reader.blocks():
            make_room(outcomes, block, self.plan, self._stream)
            outcomes.observe(block)
            comparable.observe(block)
            end = end_after(block, end)
        if reader.cut or end is End.CUT:
            raise EvidenceError(
                f"{self._stream}: is incomplete: it ends before the end of the run (compare runs that have ended)"
            )
        return outcomes, comparable


def open_run(path: Path) -> Source:
    """The run in a directory. Raises UsageError when it is none, and EvidenceError when its evidence cannot be used."""
    directory = RunDirectory.open(path)
    loaded = load_stored(directory)
    plan = Plan(loaded.scenario)
    identity = StreamReader(directory.stream(loaded.scenario.name), plan.vocabulary).identity
    if identity.scenario_sha256 != loaded.sha256:
        raise EvidenceError(f"{directory.file(SCENARIO)}: is not the scenario of the event stream (its hash differs)")
    verdict = decode_evidence(directory.read(VERDICT), Verdict, directory.file(VERDICT))
    if (verdict.scenario_sha256, verdict.seed) != (identity.scenario_sha256, identity.seed):
        raise EvidenceError(f"{directory.file(VERDICT)}: is not the verdict on this stream (its hash or seed differs)")
    return Source(directory, loaded, plan, identity, verdict)


def refuse_incomparable(base: Source, run: Source) -> None:
    """Raises UsageError unless both are of the same scenario and seed: overrides are part of a scenario."""
    differences = list(_differences(base, run))
    if not differences:
        return
    more = len(differences) - _MOST_TOLD
    told = "; ".join([*differences[:_MOST_TOLD], *([f"{more} more"] if more > 0 else [])])
    both = f"{base.directory.path} and {run.directory.path}"
    raise UsageError(f"{both} cannot be compared: {told} (name two runs of the same scenario and seed)")


def _differences(base: Source, run: Source) -> Iterator[str]:
    if base.identity.seed != run.identity.seed:
        yield f"their seeds are {base.identity.seed} and {run.identity.seed}"
    if base.loaded.sha256 != run.loaded.sha256:
        keys = list(different_keys(base.loaded.data, run.loaded.data))
        yield from keys
        if not keys and base.identity.seed == run.identity.seed and _repeat(base) == _repeat(run):
            yield "the hashes of their scenarios differ"
    elif base.loaded.scenario != run.loaded.scenario:
        yield "a file of values that the scenario names differs"


def _repeat(source: Source) -> object:
    return source.loaded.data.get("repeat")


def different_keys(base: dict[str, Any], run: dict[str, Any]) -> Iterator[str]:
    """In which keys two scenarios differ, in words; their seeds, and how often each is made, are left aside."""
    one, other = ({key: data[key] for key in data if key not in {"seed", "repeat"}} for data in (base, run))
    yield from _different_keys((), one, other)


def _different_keys(where: Where, one: object, other: object) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            yield from _different_keys((*where, key), one.get(key), other.get(key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (first, second) in enumerate(zip(one, other, strict=True)):
            yield from _different_keys((*where, index), first, second)
    elif one != other:
        yield f"{show_path(where)} is {_value(one)} in the one and {_value(other)} in the other"


def _value(value: object) -> str:
    return "not set" if value is None else quoted(value) if isinstance(value, str) else quoted(str(value))[1:-1]
