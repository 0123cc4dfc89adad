"""One folder: a run in brief, from its verdict and its manifest, or the reason why it cannot be read."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from soak.runner.evidence.directory import CHECKSUMS, MANIFEST, SCENARIO, VERDICT, RunDirectory
from soak.schemas.errors import EvidenceError, VersionError, printable, reason
from soak.schemas.evidence.manifest import Git, Manifest
from soak.schemas.evidence.runs import ObjectiveRow, RunRow, RunState
from soak.schemas.evidence.upgrades import FORMATS
from soak.schemas.evidence.verdict import Outcome, Status, Verdict
from soak.schemas.evidence.versions import UNDECODABLE, brought_up, version_of
from soak.schemas.language.expression import Op, Unit
from soak.schemas.language.margins import relative_margin
from soak.schemas.stream.storage import is_stream_name

REPORTS = ("report.html", "soak_summary.md")
"""What a link leads to: the first that there is."""

SIGNS = (MANIFEST, VERDICT, CHECKSUMS)
"""Files that only run directories have; the checksums alone are of analyses, too."""

_LARGEST_BYTES = 50_000_000


class _Windows(msgspec.Struct):
    length_s: float


class _Objective(msgspec.Struct):
    objective: str
    sli: str
    labels: dict[str, str]
    value: float | None
    target: float | None
    op: Op
    unit: Unit
    status: Status
    margin: float | None
    interval: tuple[float | None, float | None] | None
    windows: _Windows | None = None


class _Verdict(msgspec.Struct):
    """The part of `Verdict` that is shown: the rest is skipped unread."""

    verdict: Outcome
    scenario: str
    scenario_sha256: str
    target: str
    clock: str
    seed: int
    duration_s: float
    ended_s: float
    objectives: list[_Objective]


class _Manifest(msgspec.Struct):
    """The part of `Manifest` that is shown."""

    scenario: str
    title: str
    scenario_sha256: str
    tier: str | None
    settings: list[str]
    seed: int
    target: str
    clock: str
    speed: float
    started_at: str
    verdict: str | None
    host: str
    platform: str
    python: str
    versions: dict[str, str]
    git: Git | None
    environment: dict[str, str] = {}


T = TypeVar("T")


class _RefusedError(Exception):
    """A folder without a verdict that can be read: its state, and why."""

    def __init__(self, state: RunState, why: str) -> None:
        super().__init__(why)
        self.state = state


def read_run(folder: Path, name: str) -> RunRow:
    """The run in `folder`, which is called `name`. Never raises for what is in it: the row says what is wrong."""
    manifest: _Manifest | None = None
    try:
        content = _content(folder, MANIFEST)
        manifest = _decoded(content, _Manifest, Manifest, MANIFEST)
        if not _is_moment(manifest.started_at):
            raise _RefusedError(RunState.DAMAGED, f"{MANIFEST} has no valid started_at")
        if manifest.verdict is None:
            raise _unfinished(folder)
        return _row(folder, name, manifest, content)
    except _RefusedError as refused:
        known = _fields(manifest) if manifest else {}
        return RunRow(name, refused.state, printable(str(refused)), **known)  # type: ignore[arg-type]


def _row(folder: Path, name: str, manifest: _Manifest, manifest_content: bytes) -> RunRow:
    content = _content(folder, VERDICT)
    _check_sealed(folder, {MANIFEST: manifest_content, VERDICT: content})
    verdict = _decoded(content, _Verdict, Verdict, VERDICT)
    for field in ("verdict", "scenario", "scenario_sha256", "target", "seed"):
        if getattr(manifest, field) != getattr(verdict, field):
            raise _RefusedError(RunState.DAMAGED, f"{MANIFEST} and {VERDICT} contradict each other: {field}")
    known = {
        **_fields(manifest),
        "length_s": verdict.duration_s,
        "ended_s": verdict.ended_s,
        "objectives": [_objective(each) for each in verdict.objectives],
        "report": next((each for each in REPORTS if (folder / each).is_file()), ""),
    }
    return RunRow(name, RunState(verdict.verdict.value), **known)  # type: ignore[arg-type]


def _fields(manifest: _Manifest) -> dict[str, object]:
    """What the manifest says, by the names of the fields of a row."""
    git = manifest.git
    versions = {f"version of {name}": version for name, version in manifest.versions.items()}
    variables = {f"variable {name}": value for name, value in manifest.environment.items()}
    return {
        "scenario": manifest.scenario,
        "title": manifest.title,
        "tier": manifest.tier,
        "settings": [each for each in manifest.settings if not each.startswith("seed=")],
        "scenario_sha256": manifest.scenario_sha256,
        "target": manifest.target,
        "clock": manifest.clock,
        "seed": manifest.seed,
        "started_at": manifest.started_at if _is_moment(manifest.started_at) else "",
        "commit": git.sha if git else "",
        "dirty": bool(git and git.dirty),
        "environment": {
            "host": manifest.host,
            "platform": manifest.platform,
            "python": manifest.python,
            "speed": f"{manifest.speed:g}",
            **versions,
            **variables,
        },
    }


def _is_moment(text: str) -> bool:
    """Whether it is a time in UTC, as manifests have it."""
    try:
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return False
    return True


def _objective(each: _Objective) -> ObjectiveRow:
    return ObjectiveRow(
        objective=each.objective,
        sli=each.sli,
        labels=each.labels,
        op=each.op.value,
        unit=each.unit.value,
        status=each.status,
        value=each.value,
        target=each.target,
        margin=each.margin,
        relative_margin=relative_margin(each.op, each.unit, each.target, each.margin),
        interval=each.interval,
        window_s=each.windows.length_s if each.windows else None,
    )


def _content(folder: Path, name: str) -> bytes:
    """A file of the evidence. Raises _RefusedError."""
    path = folder / name
    try:
        # A pipe would block; a link may lead anywhere, but is read like the file that it leads to.
        if path.exists() and not path.is_file():
            raise _RefusedError(RunState.DAMAGED, f"{name} is not a regular file")
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise _RefusedError(_state_without(folder, name), _words_without(folder, name)) from None
    except OSError as error:
        raise _RefusedError(RunState.DAMAGED, f"{name}: {reason(error)}") from None
    if len(content) > _LARGEST_BYTES:
        raise _RefusedError(RunState.DAMAGED, f"{name} is larger than {_LARGEST_BYTES // 1_000_000} MB")
    return content


def _state_without(folder: Path, name: str) -> RunState:
    """What a folder is that lacks a file."""
    names = set[str]()
    with suppress(OSError):  # a folder may be entered and not listed
        names = {each.name for each in folder.iterdir()}
    return RunState.FOREIGN if name == MANIFEST and not has_signs(names) else RunState.DAMAGED


def _words_without(folder: Path, name: str) -> str:
    if _state_without(folder, name) is RunState.FOREIGN:
        return f"not a run directory: it has neither {MANIFEST} nor {VERDICT}"
    return f"{name} is missing"


def _unfinished(folder: Path) -> _RefusedError:
    """Of a run whose manifest has no verdict yet: it is in progress where a runner holds its directory."""
    if RunDirectory(folder).is_claimed():
        return _RefusedError(RunState.RUNNING, "in progress (soak watch shows it)")
    return _RefusedError(RunState.INCOMPLETE, "the run did not end; soak resume continues a real one")


def _check_sealed(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Raises _RefusedError for files that are not as they were when the evidence was sealed."""
    if not (folder / CHECKSUMS).exists():
        raise _RefusedError(RunState.INCOMPLETE, f"{CHECKSUMS} is missing: the evidence was never sealed")
    listed = _content(folder, CHECKSUMS)
    for name, content in contents.items():
        line = f"{hashlib.sha256(content).hexdigest()}  {name}\n".encode()
        if line not in listed:
            raise _RefusedError(
                RunState.DAMAGED, f"{name} was changed after the run: its hash is not that of {CHECKSUMS}"
            )


def _decoded(content: bytes, part: type[T], whole: type, name: str) -> T:
    """Part of a file of any version that can be brought up to today's. Raises _RefusedError."""
    try:
        if version_of(content) == FORMATS[whole].version:
            return msgspec.json.decode(content, type=part)
        return msgspec.convert(brought_up(msgspec.json.decode(content), FORMATS[whole], name), part)
    except VersionError as error:
        raise _RefusedError(RunState.UNSUPPORTED, str(error)) from None
    except (EvidenceError, *UNDECODABLE) as error:
        raise _RefusedError(RunState.DAMAGED, f"{name}: {error}") from None


def has_signs(names: set[str]) -> bool:
    """Whether a folder with files of these names is a run directory, however damaged."""
    return not names.isdisjoint(SIGNS[:2]) or (SCENARIO in names and any(map(is_stream_name, names)))
