"""Verification: is the evidence unchanged, and does the stream give the same verdict?"""

import contextlib
from collections.abc import Iterator, Mapping
from itertools import zip_longest

import msgspec

from soak.runner.ends import end_after
from soak.runner.evidence.checksums import Finding, check_hashes
from soak.runner.evidence.directory import MANIFEST, METRICS, SCENARIO, RunDirectory
from soak.runner.evidence.documents import account_of, beside
from soak.runner.evidence.manifest import read_manifest, reproduce
from soak.runner.evidence.metrics import MetricsWriter
from soak.runner.evidence.origin import KINDS, Origin, other_release
from soak.runner.evidence.record import files_of, to_json, verdict_files
from soak.runner.evidence.stream import StreamReader
from soak.runner.evidence.task_numbers import task_limit
from soak.runner.judge.account import Account
from soak.runner.judge.decide import decide
from soak.runner.judge.judge import Judge
from soak.runner.judge.recount import Recount
from soak.runner.judge.room import room_of
from soak.schemas.errors import EvidenceError, ScenarioError, UsageError, VersionError, reason
from soak.schemas.evidence.upgrades import ADDED, FORMATS
from soak.schemas.evidence.verdict import End, Verdict
from soak.schemas.evidence.versions import UNDECODABLE, brought_up, version_of
from soak.schemas.language.load import Loaded, load
from soak.schemas.language.registry import language_of
from soak.schemas.stream.identity import Identity
from soak.simulation.plan import Plan


def verify(directory: RunDirectory) -> tuple[list[Finding], Verdict | None]:
    """Check hashes, recompute the verdict from the stream; returns what was found and the recomputed verdict."""
    found, verdict = check_recomputed(directory)
    return [*check_hashes(directory), *found], verdict


def check_recomputed(directory: RunDirectory) -> tuple[list[Finding], Verdict | None]:
    """Recompute the verdict and what follows from it; returns what differs, and the recomputed verdict.

    A run of another release may differ because it had other rules; a stream that is damaged or incomplete always differs.
    """
    maker = other_release(directory)
    try:
        recounted: list[Finding] = []
        verdict, files = recompute(directory, recounted)
    except (VersionError, NotLoadedError) as error:
        return [_found("event stream", str(error), maker)], None
    except EvidenceError as error:
        return [Finding("event stream", str(error))], None
    cut = "is incomplete: it ends before the end of the run" if verdict.end is End.CUT else ""
    compared = [
        _found(f"{name} recomputed", _difference(directory, name, content, earlier=maker is not None), maker)
        for name, content in files.items()
    ]
    return [Finding("event stream", cut), *compared, *recounted], verdict


def _found(what: str, problem: str, maker: Origin | None) -> Finding:
    """What was found where the rules of the release that made the run may have been others."""
    if problem and maker:
        return Finding(what, f"{problem} (made by {maker.release}, whose rules may differ)", other_rules=True)
    return Finding(what, problem)


class NotLoadedError(EvidenceError):
    """The stored scenario is not one that this release understands."""


def load_stored(directory: RunDirectory) -> Loaded:
    """The scenario stored with the evidence. Raises EvidenceError; NotLoadedError for one that does not load any more."""
    directory.read(SCENARIO)
    try:
        return load(directory.file(SCENARIO))
    except (ScenarioError, UsageError) as error:
        raise NotLoadedError(f"{directory.file(SCENARIO)}: cannot be loaded any more:\n{error}") from None


def recompute(directory: RunDirectory, found: list[Finding] | None = None) -> tuple[Verdict, dict[str, bytes]]:
    """The verdict and result files recomputed from the stored scenario and stream. Raises EvidenceError.

    found: is given what counting a ledger of the target again gives, where the run has one.

    Of the manifest, only what follows from the stream; the report and its plots are rendered: see `soak report`.
    """
    loaded = load_stored(directory)
    plan = Plan(loaded.scenario)
    stream = directory.stream(loaded.scenario.name)
    reader = StreamReader(stream, plan.vocabulary, loaded.scenario.horizon_s, task_limit(plan))
    if reader.identity.scenario_sha256 != loaded.sha256:
        raise EvidenceError(f"{directory.file(SCENARIO)}: is not the scenario of the event stream (its hash differs)")
    account = account_of(loaded.scenario, plan.vocabulary)
    recount = room_of(loaded.scenario.system).recount(loaded.scenario, plan.vocabulary)
    judge = Judge.of(loaded.scenario, plan.vocabulary, reader.identity)
    end, events = End.CUT, 0
    with contextlib.closing(
        MetricsWriter(None, loaded.scenario, [cause.fault for cause in plan.vocabulary.causes])
    ) as metrics:
        for block in reader.blocks():
            end = end_after(block, end)
            for part in judge.observe(block):
                events += len(part)
                metrics.append(part, judge.facts)
                account.observe(part)
                recount.observe(part)
        metrics.finish(judge.until_s)
        verdict = decide(judge, reader.identity, end)
        added, documents = _of_system(directory, account, judge, verdict.end)
        command = reproduce(reader.identity, loaded.scenario.telemetry.compress)
        files = {METRICS: metrics.text, MANIFEST: _known_of_manifest(reader.identity, verdict, events, command, added)}
    if found is not None and end.orderly:
        found += _recounted(directory, recount)
    return verdict, {**verdict_files(verdict, judge), **files, **documents}


def _recounted(directory: RunDirectory, recount: Recount) -> Iterator[Finding]:
    """Whether the stream has the figures that a ledger of the target gives."""
    ledger = directory.file(recount.file)
    if not recount.file or not ledger.exists():
        return
    try:
        differences = list(recount.differences(ledger))
    except OSError as error:
        yield Finding(f"{recount.file} recounted", f"cannot be read: {reason(error)}")
    except (ValueError, *UNDECODABLE):
        yield Finding(f"{recount.file} recounted", "is damaged")
    else:
        yield Finding(f"{recount.file} recounted", "; ".join(differences))


def _of_system(
    directory: RunDirectory, account: Account, judge: Judge, end: End
) -> tuple[Mapping[str, object], Mapping[str, bytes]]:
    """What the system adds to the manifest, and its own files; nothing where the manifest cannot be read, which is reported."""
    if type(account) is Account:
        return {}, {}
    try:
        where = beside(directory, read_manifest(directory), judge, end)
    except EvidenceError:
        return {}, {}
    return account.manifest(where), files_of(account, where)


def _known_of_manifest(
    identity: Identity, verdict: Verdict, events: int, command: str, added: Mapping[str, object]
) -> bytes:
    known = {
        "scenario": identity.scenario,
        "scenario_sha256": identity.scenario_sha256,
        "seed": identity.seed,
        "target": identity.target,
        "clock": identity.clock,
        "speed": identity.speed,
        "aborting": identity.abort,
        "verdict": verdict.verdict,
        "events": events,
        "reproduce": command,
        **added,
    }
    return to_json(known)


def _difference(directory: RunDirectory, name: str, content: bytes, *, earlier: bool) -> str:
    """The first difference between a stored file and its recomputation; empty if they agree."""
    try:
        if name == METRICS:
            stored_lines = directory.read(name).splitlines()
            return next(_different_lines(stored_lines, _lines(directory, stored_lines, content)), "")
        if not name.endswith(".json"):
            return next(_different_lines(directory.read(name).splitlines(), content.splitlines()), "")
        stored, computed = _stored(directory, name), msgspec.json.decode(content)
    except EvidenceError as error:
        return str(error)
    except UNDECODABLE as error:
        return f"is not JSON: {error}"
    if isinstance(stored, dict):
        missing = _added(name) if earlier else frozenset()
        computed = {key: value for key, value in computed.items() if key in stored or key not in missing}
        if name == MANIFEST:
            stored = {key: stored.get(key) for key in computed}
    return next(_differences("", stored, computed), "")


def _stored(directory: RunDirectory, name: str) -> object:
    """A JSON file of the run; one of an earlier version is brought up. Raises EvidenceError, or one of UNDECODABLE."""
    content = directory.read(name)
    document: object = msgspec.json.decode(content)
    if name not in KINDS:
        return document
    form = FORMATS[KINDS[name]]
    try:
        earlier = version_of(content) < form.version
    except msgspec.ValidationError:
        return document
    return brought_up(document, form, name) if earlier else document


def _added(name: str) -> frozenset[str]:
    """The fields of a file that evidence of before does not have: what is not said is not wrong."""
    return ADDED.get(KINDS[name], frozenset()) if name in KINDS else frozenset()


def _lines(directory: RunDirectory, stored: list[bytes], computed: bytes) -> list[bytes]:
    """The recomputed lines, without the columns that evidence of earlier versions lacks if the stored ones lack them all."""
    lines = computed.splitlines()
    scenario = load_stored(directory).scenario
    added = len(language_of(scenario.system).minutes_of(scenario.system_settings).added)
    shorter = [line.rsplit(b",", added)[0] for line in lines] if added else lines
    return shorter if stored[:1] == shorter[:1] else lines


def _different_lines(stored: list[bytes], computed: list[bytes]) -> Iterator[str]:
    for number, (one, other) in enumerate(zip_longest(stored, computed), 1):
        if one != other:
            yield f"line {number} is not what the stream gives"


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
