"""Ending processes: with everything that they started, whatever they do about it."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from soak.runner.targets.processes.identity import ProcessId, all_processes, ancestors, stat, tree
from soak.schemas.target.model import Kill, Killed, Stop
from soak.schemas.target.templates import fill

_LOOK_EVERY_S = 0.01
_GONE_WITHIN_S = 5.0
_COMMAND_S = 10.0


def send(process: ProcessId, number: int) -> bool:
    """Send a signal to a process; False if it has ended. A process that has its id by now is never hit, nor is soak itself."""
    if process.pid == os.getpid():
        return False
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        # Once the handle is there, the id cannot be used again unnoticed.
        if not process.is_alive():
            return False
        signal.pidfd_send_signal(handle, number)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(handle)


def send_all(processes: Iterable[ProcessId], number: int) -> None:
    """Send a signal to several processes."""
    for each in processes:
        send(each, number)


def kill_tree(root: ProcessId) -> list[ProcessId]:
    """SIGKILL to a process and all that descends from it; returns those.

    They are stopped first, parents before children, so that none starts another one meanwhile. Nothing that soak itself
    descends from is ended.
    """
    if not root.is_alive() or root.pid in ancestors(os.getpid()):
        return []
    hit: list[ProcessId] = []
    while fresh := [each for each in tree(root.pid) if each not in hit]:
        send_all(fresh, signal.SIGSTOP)
        hit += fresh
    send_all(hit, signal.SIGKILL)
    return hit


def kill_session(leader: int) -> list[ProcessId]:
    """SIGKILL to what runs in the session of a process id, whether that is alive or not; returns those."""
    found = [each.id for each in all_processes().values() if each.session == leader]
    send_all(found, signal.SIGKILL)
    return found


def kill(
    process: ProcessId, how: Kill, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> bool:
    """Kill a process as a target file says; whether it could be done. Raises nothing: see whether it has ended.

    environment, folder: of the command, where there is one.
    """
    if how.command is not None:
        return run_command(fill(how.command, {"pid": str(process.pid)}), environment, folder)
    if how.of is Killed.TREE:
        return bool(kill_tree(process))
    if how.of is Killed.GROUP:
        found = stat(process.pid)
        if found is None or found.id != process or found.group == os.getpgrp():
            return False
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(found.group, signal.SIGKILL)
            return True
        return False
    return send(process, signal.SIGKILL)


def ask_to_stop(
    process: ProcessId, how: Stop, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> bool:
    """Send what asks a process to stop; whether it could be done. It is woken up, should it be stopped."""
    send(process, signal.SIGCONT)
    if how.command is not None:
        return run_command(fill(how.command, {"pid": str(process.pid)}), environment, folder)
    return send(process, signal.Signals[f"SIG{how.signal}"])


def stop_tree(
    process: ProcessId,
    how: Stop,
    grace_s: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> bool:
    """Ask a process to stop, wait for at most `grace_s`, and kill what is left of all it started.

    Whether it ended by itself in time (a child of ours that was not waited for yet has ended).
    """
    before = tree(process.pid)
    ask_to_stop(process, how, environment, folder)
    in_time = wait_for_end([process], grace_s)
    left = kill_tree(process)
    # What descended from it may have lost it as a parent meanwhile.
    send_all((each for each in before if each not in left), signal.SIGKILL)
    wait_for_end([*before, *left], _GONE_WITHIN_S)
    return in_time


def stop_alone(
    process: ProcessId,
    how: Stop,
    grace_s: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> bool:
    """Ask a process to stop, and kill it, but nothing that it started, after `grace_s`; whether it ended by itself in time."""
    ask_to_stop(process, how, environment, folder)
    in_time = wait_for_end([process], grace_s)
    if not in_time:
        send(process, signal.SIGKILL)
        wait_for_end([process], _GONE_WITHIN_S)
    return in_time


def wait_for_end(processes: Iterable[ProcessId], timeout_s: float) -> bool:
    """Wait for processes to end; whether all have in time."""
    left, until = list(processes), time.monotonic() + timeout_s
    while left := [each for each in left if each.is_alive()]:
        if time.monotonic() >= until:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True


def run_command(
    command: str,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout_s: float = _COMMAND_S,
) -> bool:
    """Run a command line of a target file, without a shell; whether it exited with 0 in time. What it leaves is killed."""
    try:
        popen = subprocess.Popen(
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=None if environment is None else dict(environment),
            start_new_session=True,
        )
    except OSError:
        return False
    try:
        return popen.wait(timeout_s) == 0
    except subprocess.TimeoutExpired:
        if found := stat(popen.pid):
            kill_tree(found.id)
        popen.wait()
        return False


def descendants_of(roots: Iterable[ProcessId]) -> list[ProcessId]:
    """All processes that descend from these, and these: for those that later lose their parent."""
    processes = all_processes()
    return list(dict.fromkeys(each for root in roots for each in tree(root.pid, processes)))
