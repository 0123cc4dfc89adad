"""One `soak resume`: continues a run that failed midway or was interrupted, up to its verdict."""

import time
from collections.abc import Mapping
from pathlib import Path

from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.record import Recording
from soak.runner.interruption import Interruption
from soak.runner.late_teardown import tear_down_late
from soak.runner.outlets import open_outlets
from soak.runner.past import Past, read_past, replay
from soak.runner.session import conduct, finish_ended, tell_verdict
from soak.runner.targets.base import Selective, Target
from soak.runner.targets.make import SIMULATION, from_file, make_target
from soak.schemas.errors import UsageError
from soak.schemas.evidence.verdict import End
from soak.schemas.files import file_name
from soak.schemas.stream.identity import Identity
from soak.schemas.target.load import LoadedTarget, load_target


def resume_run(
    path: Path, *, as_json: bool, target_file: Path | None = None, target_options: Mapping[str, str] | None = None
) -> int:
    """Continue a run that failed midway or was interrupted, or judge it if it had ended; returns the exit code.

    target_file: the one of the run, where it lies; target_options: the options that it was given. Raises SoakError.
    """
    directory = RunDirectory.open(path)
    directory.claim()
    past = read_past(directory)
    # A wrong --target says nothing of whether the run can go on: its teardown waits for the right one.
    file = None if _has_ended(past) else _file_of(past.identity, target_file, target_options)
    try:
        target = _going_on(past, path, file)
    except UsageError:
        tear_down_late(past)
        raise
    if target is None:
        tear_down_late(past)
        with open_outlets(past.loaded, past.plan, past.identity, file_name(path.resolve())) as outlets:
            outlets.begin(strict=False)
            verdict = finish_ended(past, past.end, outlets, time.monotonic() - past.worked_real_s)
        return tell_verdict(past.loaded, verdict, path, as_json=as_json)
    _check_machine(past, path)
    interruption = Interruption()
    with (
        interruption.listening(),
        open_outlets(past.loaded, past.plan, past.identity, file_name(path.resolve())) as outlets,
        Recording.resume(
            directory, past.manifest, past.identity, past.plan, time.monotonic() - past.worked_real_s
        ) as recording,
    ):
        resumed = replay(past, recording)
        outlets.begin(strict=False)
        verdict = conduct(past.loaded, past.plan, target, past.identity, recording, interruption, outlets, resumed)
    return tell_verdict(past.loaded, verdict, path, as_json=as_json)


def _check_machine(past: Past, path: Path) -> None:
    from soak.runner.preflight import check_machine

    check_machine(past.plan, path)


def _has_ended(past: Past) -> bool:
    return past.end.orderly or past.end is End.ABORTED


def _going_on(past: Past, path: Path, file: LoadedTarget | None) -> Target | None:
    """The target, ready to continue; None for a run that has ended and is only judged. Raises UsageError."""
    if _has_ended(past):
        return None
    name, speed = past.identity.target, past.identity.speed
    target = from_file(file, speed) if file else make_target(name, speed if name != SIMULATION else None)
    try:
        if isinstance(target, Selective):
            target.admit(past.loaded.scenario, resumed=True)
        target.prepare(path, past.history)
    except UsageError:
        if past.end is End.CUT or past.sealed:
            raise
        return None
    return target


def _file_of(identity: Identity, file: Path | None, options: Mapping[str, str] | None) -> LoadedTarget | None:
    """The target file that the run was against; None where there was none. Raises UsageError."""
    if identity.target_sha256 is None:
        if file is not None:
            raise UsageError(f"{file}: this run used no target file, but {identity.target} (leave out --target)")
        return None
    if file is None:
        remedy = "add --target FILE: its commands start from the folder that it lies in"
        raise UsageError(f"this run was against a target file named {identity.target} ({remedy})")
    loaded = load_target(file, options)
    if loaded.sha256 != identity.target_sha256:
        what = "is not the target file of this run, with its options; it is kept with the run"
        raise UsageError(f"{file}: {what} (give that one, and its --option)")
    return loaded
