"""The manifest: who ran what, where, when and with which versions."""

import getpass
import platform
import shlex
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from soak.runner.evidence.directory import MANIFEST, SCENARIO, TARGET, RunDirectory
from soak.schemas.errors import EvidenceError
from soak.schemas.evidence.manifest import SCHEMA_VERSION, Git, Manifest, Sent
from soak.schemas.evidence.versions import decode_evidence
from soak.schemas.files import file_name
from soak.schemas.language.load import Loaded
from soak.schemas.stream.identity import RECORDED, Identity
from soak.schemas.stream.storage import stream_name

_LIBRARIES = ("numpy", "simpy", "PyYAML", "jsonschema", "jinja2", "matplotlib", "msgspec", "click", "rich")


def start_manifest(loaded: Loaded, identity: Identity, started: datetime) -> Manifest:
    """The manifest of a run that starts now; its end is still open."""
    return Manifest(
        schema_version=SCHEMA_VERSION,
        scenario=identity.scenario,
        title=loaded.scenario.title,
        scenario_file=file_name(loaded.source),
        scenario_sha256=identity.scenario_sha256,
        tier=loaded.tier,
        settings=list(loaded.settings),
        environment=dict(loaded.environment),
        included=list(loaded.included),
        seed=identity.seed,
        target=identity.target,
        clock=identity.clock,
        speed=identity.speed,
        aborting=identity.abort,
        started_at=_stamp(started),
        finished_at=None,
        wall_s=None,
        verdict=None,
        events=None,
        reproduce=reproduce(identity, loaded.scenario.telemetry.compress),
        user=_user(),
        host=platform.node(),
        platform=platform.platform(),
        python=platform.python_version(),
        versions=_versions(),
        git=git_of(loaded.folder),
        notifications=None,
        timeseries_export=None,
    )


def finish_manifest(
    manifest: Manifest, finished: datetime, wall_s: float, verdict: str, events: int, sent: Sent
) -> Manifest:
    """The manifest of a run that has ended."""
    return msgspec.structs.replace(
        manifest,
        finished_at=_stamp(finished),
        wall_s=round(wall_s, 3),
        verdict=verdict,
        events=events,
        notifications=sent.notifications,
        timeseries_export=sent.timeseries_export,
    )


def read_manifest(directory: RunDirectory) -> Manifest:
    """The manifest of a run. Raises EvidenceError."""
    found = decode_evidence(directory.read(MANIFEST), Manifest, directory.file(MANIFEST))
    try:
        datetime.strptime(found.started_at, "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        raise EvidenceError(f"{directory.file(MANIFEST)}: has no valid started_at (it is damaged)") from None
    return found


_STOP = {"all": "--stop-when-decided", "decidable": "--stop-when-decidable"}


def reproduce(identity: Identity, compress: str | None = None) -> str:
    """The command that repeats the run beside it, relative to the run directory."""
    words = ["soak", "run", SCENARIO, "--seed", str(identity.seed), "--out", f"../{identity.scenario}-again"]
    return shlex.join(
        [
            *words,
            *([] if identity.abort else ["--no-abort"]),
            *([_STOP[identity.stop]] if identity.stop else []),
            *_against(identity, compress),
            *(["--speed", f"{identity.speed:g}"] if identity.speed != 1 else []),
            *(["--patience", f"{identity.patience_s:g}s"] if identity.patience_s else []),
        ]
    )


def _against(identity: Identity, compress: str | None) -> list[str]:
    """What it ran against; of events that were recorded elsewhere, those that are in its own stream."""
    if identity.target == RECORDED:
        return ["--replay", stream_name(identity.scenario, compress)]
    target = TARGET if identity.target_sha256 else identity.target
    options = [word for name, value in (identity.options or {}).items() for word in ("--option", f"{name}={value}")]
    return ["--target", target, *options] if target != "simulation" else []


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"


def _versions() -> dict[str, str]:
    """Versions of soak and its dependencies, by name."""
    asked = {"soak": "soak-runner", **{name: name for name in _LIBRARIES}}
    return {name: found for name, package in asked.items() if (found := _version(package))}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def git_of(directory: Path) -> Git | None:
    """The commit of the checkout that holds a folder; None without one."""

    def ask(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(directory), *words], capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    sha = ask("rev-parse", "HEAD")
    return Git(sha, bool(ask("status", "--porcelain", "--untracked-files=no"))) if sha else None
