"""Verification: does the evidence still say what it said, and does the stream still come to that verdict?"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from runner.evidence.directory import CHECKSUMS, SCENARIO, RunDirectory, stream_name
from runner.evidence.record import verdict_files
from runner.evidence.stream import StreamReader
from runner.judge.decide import decide
from runner.judge.judge import Judge
from schemas.block import Block
from schemas.errors import EvidenceError, ScenarioError, UsageError
from schemas.events import Kind
from schemas.load import Loaded, load
from schemas.verdict import End, Verdict
from simulation.plan import Plan

_ENDS = {Kind.RUN_ENDED: End.COMPLETED, Kind.RUN_ABORTED: End.ABORTED, Kind.RUN_INTERRUPTED: End.INTERRUPTED}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked; `problem` is empty when it agrees."""

    what: str
    problem: str


def verify(directory: RunDirectory) -> tuple[list[Finding], Verdict | None]:
    """Check hashes, recompute the verdict from the stream; returns what was found and the recomputed verdict."""
    findings = list(_hashes(directory))
    try:
        verdict, files = recompute(directory)
    except EvidenceError as error:
        return [*findings, Finding("event stream", str(error))], None
    findings.append(Finding("event stream", "breaks off before the end of the run" if verdict.end is End.CUT else ""))
    findings += [
        Finding(f"{name} recomputed", _difference(directory, name, content)) for name, content in files.items()
    ]
    return findings, verdict


def load_stored(directory: RunDirectory) -> Loaded:
    """The scenario stored with the evidence. Raises EvidenceError."""
    directory.read(SCENARIO)
    try:
        return load(directory.file(SCENARIO))
    except (ScenarioError, UsageError) as error:
        raise EvidenceError(f"{directory.file(SCENARIO)}: does not load any more:\n{error}") from None


def recompute(directory: RunDirectory) -> tuple[Verdict, dict[str, bytes]]:
    """The verdict that the stored scenario and stream come to, and the files it should stand in. Raises EvidenceError."""
    loaded = load_stored(directory)
    plan = Plan(loaded.scenario)
    reader = StreamReader(directory.file(stream_name(loaded.scenario.name)), plan.vocabulary)
    if reader.identity.scenario_sha256 != loaded.sha256:
        raise EvidenceError(
            f"{directory.file(SCENARIO)}: is not the scenario the stream was made with (its hash differs)"
        )
    judge = Judge(loaded.scenario, plan.vocabulary, abort=reader.identity.abort)
    end = End.CUT
    for block in reader.blocks():
        end = _end_of(block) or end
        for _ in judge.observe(block):
            pass
    verdict = decide(judge, reader.identity, end)
    return verdict, verdict_files(verdict, judge)


def _end_of(block: Block) -> End | None:
    ends = block.kind[np.isin(block.kind, list(_ENDS))]
    return _ENDS[Kind(int(ends[-1]))] if len(ends) else None


def _hashes(directory: RunDirectory) -> Iterator[Finding]:
    try:
        sums = directory.read_checksums()
    except EvidenceError as error:
        yield Finding(CHECKSUMS, str(error))
        return
    for name, digest in sums.items():
        try:
            yield Finding(name, "" if directory.checksum(name) == digest else "was changed: its hash differs")
        except EvidenceError:
            yield Finding(name, "is missing")
    for name in directory.names():
        if name not in sums:
            yield Finding(name, f"is not listed in {CHECKSUMS}")


def _difference(directory: RunDirectory, name: str, content: bytes) -> str:
    """Where a stored file and its recomputation part ways; empty when they agree."""
    try:
        stored = msgspec.json.decode(directory.read(name))
    except EvidenceError as error:
        return str(error)
    except msgspec.DecodeError as error:
        return f"is not JSON: {error}"
    return next(_differences("", stored, msgspec.json.decode(content)), "")


def _differences(where: str, stored: object, computed: object) -> Iterator[str]:
    if isinstance(stored, dict) and isinstance(computed, dict):
        for key in [*computed, *(key for key in stored if key not in computed)]:
            yield from _differences(f"{where}.{key}".lstrip("."), stored.get(key), computed.get(key))
    elif isinstance(stored, list) and isinstance(computed, list):
        if len(stored) != len(computed):
            yield f"{where} has {len(stored)} entries, but the stream gives {len(computed)}"
        for index, (one, other) in enumerate(zip(stored, computed, strict=False)):
            yield from _differences(f"{where}[{index}]", one, other)
    elif stored != computed:
        yield f"{where} is {_short(stored)}, but the stream gives {_short(computed)}"


def _short(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 160 else f"{text[:160]}…"
