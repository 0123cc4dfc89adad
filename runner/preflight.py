"""Before a real run begins: can this machine carry it, and do the scenario's own commands end well?"""

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

from runner.console import remark
from schemas.errors import UsageError
from schemas.model import Scenario
from simulation.plan import Plan

_BYTES_PER_TASK = 4_096
"""Event stream, database and log of a task, with its retries: measured at about half of this."""

_SPARE_BYTES = 64 << 20
_FILES_PER_WORKER, _SPARE_FILES = 4, 64
_LOOK_EVERY_S = 0.1


def check_machine(plan: Plan, place: Path) -> None:
    """Raise UsageError when disk space below `place` or open files are too few for the planned run."""
    scenario = plan.scenario
    tasks = plan.rate.mean_per_s * scenario.duration_s
    needed = int(tasks * _BYTES_PER_TASK) + _SPARE_BYTES
    free = psutil.disk_usage(str(_existing(place))).free
    if free < needed:
        what = f"{place}: {free >> 20:,} MiB free, and the run needs about {needed >> 20:,} MiB"
        raise UsageError(f"{what} (free some space, or choose another --out)")
    files = scenario.queue.workers * _FILES_PER_WORKER + _SPARE_FILES
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != resource.RLIM_INFINITY and allowed < files:
        what = f"{allowed} open files are allowed, and {scenario.queue.workers} workers need {files}"
        raise UsageError(f"{what} (ulimit -n {files})")


def _existing(place: Path) -> Path:
    """The nearest directory above that is there."""
    return next(path for path in (place.absolute(), *place.absolute().parents) if path.exists())


def run_commands(scenario: Scenario, directory: Path, interrupted: Callable[[], bool] = lambda: False) -> None:
    """Run the scenario's preflight commands in `directory`. Raises UsageError for the first that does not end well.

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
            raise UsageError(f"preflight {command!r} ended with exit code {exit_code}{last} (nothing was run)")


def _exit_code(command: str, directory: Path, output: IO[bytes], interrupted: Callable[[], bool]) -> int:
    try:
        words = shlex.split(command)
        if not words:
            raise ValueError("it says nothing")
        process = subprocess.Popen(
            words, cwd=directory, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    except (OSError, ValueError) as error:
        raise UsageError(f"preflight {command!r} cannot run: {error} (mend it, or take it out)") from None
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
