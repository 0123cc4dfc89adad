"""Checks before a real run: enough disk, files and threads, and the scenario's preflight commands succeed."""

import os
import resource
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

import click
import psutil

from soak.runner.console import remark
from soak.runner.targets.room import room_of
from soak.schemas.errors import UsageError, reason
from soak.schemas.language.model import Scenario
from soak.simulation.plan import Plan

_BYTES_PER_TASK = 4_096
"""Event stream, database and log of a task, with its retries: measured at about half of this."""

_SPARE_BYTES = 64 << 20
_SPARE = 64
"""Open files and threads that the runner itself and all else need."""

_LOOK_EVERY_S = 0.1


def check_machine(plan: Plan, place: Path) -> None:
    """Raise UsageError when disk space below `place` or open files are too few for the planned run."""
    scenario = plan.scenario
    tasks = plan.rate.expected(scenario.duration_s)
    needed = int(tasks * _BYTES_PER_TASK) + _SPARE_BYTES
    free = psutil.disk_usage(str(_existing(place))).free
    if free < needed:
        what = f"{place}: {free >> 20:,} MiB free, but the run needs about {needed >> 20:,} MiB"
        raise UsageError(f"{what} (free some space, or choose another --out)")
    for need in room_of(scenario.system).needs(plan):
        if need.open_files:
            _check_limit(resource.RLIMIT_NOFILE, "open files", "-n", need.open_files + _SPARE, need.who)
        if need.threads:
            _check_limit(resource.RLIMIT_NPROC, "processes and threads", "-u", need.threads + _SPARE, need.who)


def _check_limit(limit: int, what: str, option: str, needed: int, who: str) -> None:
    allowed, _ = resource.getrlimit(limit)
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        raise UsageError(f"{allowed} {what} are allowed, and {who} need {needed} (ulimit {option} {needed})")


def _existing(place: Path) -> Path:
    """The nearest existing directory above."""
    return next(path for path in (place.absolute(), *place.absolute().parents) if path.exists())


def run_commands(scenario: Scenario, directory: Path, interrupted: Callable[[], bool] = lambda: False) -> None:
    """Run the scenario's preflight commands in `directory`. Raises UsageError for the first that fails.

    Raises click.Abort when `interrupted` says so; the command is ended then.
    """
    for command in scenario.preflight:
        remark(f"preflight: {command}")
        with tempfile.TemporaryFile() as output:
            exit_code = _exit_code(command, directory, output, interrupted)
            output.seek(0)
            said = output.read().decode(errors="replace").strip().splitlines()
        if exit_code:
            last = f": {said[-1]}" if said else ""
            raise UsageError(f"preflight {command!r} ended with exit code {exit_code}{last} (the run was not started)")


def _exit_code(command: str, directory: Path, output: IO[bytes], interrupted: Callable[[], bool]) -> int:
    try:
        words = shlex.split(command)
        if not words:
            raise ValueError
        process = subprocess.Popen(
            words, cwd=directory, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else "is not a valid command line; check its quotes"
        raise UsageError(f"preflight {command!r} cannot run: {why} (correct or remove it)") from None
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(_LOOK_EVERY_S)
            if interrupted():
                raise click.Abort
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
