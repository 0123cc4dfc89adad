"""One `soak resume`: continues a run that failed midway or was interrupted, up to its verdict."""

import time
from pathlib import Path

from soak.runner.console import tell
from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.record import Recording, to_json
from soak.runner.interruption import INTERRUPTED, Interruption
from soak.runner.outlets import open_outlets
from soak.runner.past import Past, read_past, replay
from soak.runner.session import conduct, finish_ended, summary_lines
from soak.runner.targets.base import Selective, Target
from soak.runner.targets.make import make_target
from soak.schemas.errors import UsageError
from soak.schemas.evidence.verdict import End
from soak.schemas.files import file_name


def resume_run(path: Path, *, as_json: bool) -> int:
    """Continue a run that failed midway or was interrupted, or judge it if it had ended; returns the exit code.

    Raises SoakError.
    """
    directory = RunDirectory.open(path)
    directory.claim()
    past = read_past(directory)
    target = _going_on(past, path)
    if target is None:
        with open_outlets(past.loaded, past.plan, past.identity, file_name(path.resolve())) as outlets:
            outlets.begin(strict=False)
            verdict = finish_ended(past, past.end, outlets, time.monotonic() - past.worked_real_s)
        tell(to_json(verdict).decode() if as_json else summary_lines(past.loaded, verdict, path), nl=not as_json)
        return INTERRUPTED if verdict.end is End.INTERRUPTED else verdict.verdict.exit_code
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
    tell(to_json(verdict).decode() if as_json else summary_lines(past.loaded, verdict, path), nl=not as_json)
    return INTERRUPTED if verdict.end is End.INTERRUPTED else verdict.verdict.exit_code


def _check_machine(past: Past, path: Path) -> None:
    from soak.runner.preflight import check_machine

    check_machine(past.plan, path)


def _going_on(past: Past, path: Path) -> Target | None:
    """The target, ready to continue; None for a run that has ended and is only judged. Raises UsageError."""
    if past.end.orderly or past.end is End.ABORTED:
        return None
    target = make_target(past.identity.target, past.identity.speed if past.identity.target != "simulation" else None)
    try:
        if isinstance(target, Selective):
            target.admit(past.loaded.scenario, resumed=True)
        target.prepare(path, past.history)
    except UsageError:
        if past.end is End.CUT or past.sealed:
            raise
        return None
    return target
