"""By which release a run was made: the rules it was judged by may be others than today's."""

import contextlib
from importlib.metadata import PackageNotFoundError, version

import msgspec
from msgspec import Struct

from soak.runner.evidence.directory import ALERTS, CHECKPOINTS, MANIFEST, VERDICT, RunDirectory
from soak.schemas.errors import EvidenceError, SoakError
from soak.schemas.evidence.manifest import Manifest
from soak.schemas.evidence.upgrades import FORMATS, STREAM
from soak.schemas.evidence.verdict import Alerts, Checkpoints, Verdict
from soak.schemas.evidence.versions import UNDECODABLE, version_of
from soak.schemas.stream.storage import open_stream

KINDS: dict[str, type] = {VERDICT: Verdict, ALERTS: Alerts, CHECKPOINTS: Checkpoints, MANIFEST: Manifest}
"""What each JSON file of a run holds."""

_DISTRIBUTION = "soak-runner"


class _Written(msgspec.Struct):
    versions: dict[str, str] = {}


class Origin(Struct, frozen=True):
    """The release that made a run, in words, and the earlier versions that its files are of."""

    release: str
    earlier: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.release} ({'; '.join(self.earlier)})" if self.earlier else self.release


def other_release(directory: RunDirectory) -> Origin | None:
    """What made a run; None where nothing says that it was another release than this."""
    names: dict[int, list[str]] = {}
    for name, kind in KINDS.items():
        found = _version_in(directory, name)
        if found is not None and found < FORMATS[kind].version:
            names.setdefault(found, []).append(name)
    stream = _stream_version(directory)
    if stream is not None and stream < STREAM.version:
        names.setdefault(stream, []).append("the event stream")
    earlier = [f"version {number} of {', '.join(files)}" for number, files in sorted(names.items(), reverse=True)]
    named = _named(directory)
    other = bool(named) and named != _own()
    return Origin(f"soak {named}" if other else "an earlier release", tuple(earlier)) if earlier or other else None


def _stream_version(directory: RunDirectory) -> int | None:
    for path in sorted(directory.path.glob("soak_*.jsonl*")):
        with contextlib.suppress(OSError, SoakError, *UNDECODABLE), open_stream(path) as file:
            return version_of(file.readline())
    return None


def _version_in(directory: RunDirectory, name: str) -> int | None:
    try:
        return version_of(directory.read(name))
    except (EvidenceError, *UNDECODABLE):
        return None


def _named(directory: RunDirectory) -> str:
    try:
        return msgspec.json.decode(directory.read(MANIFEST), type=_Written).versions.get("soak", "")
    except (EvidenceError, *UNDECODABLE):
        return ""


def _own() -> str:
    try:
        return version(_DISTRIBUTION)
    except PackageNotFoundError:
        return ""
