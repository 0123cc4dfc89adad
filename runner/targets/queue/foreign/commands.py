"""Submissions by a command for each: its exit code is the answer."""

import os
import selectors
import shlex
import subprocess
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from soak.runner.targets.context import RunContext
from soak.runner.targets.processes.ending import kill_session
from soak.runner.targets.queue.foreign.offers import Answer, AnswerTo
from soak.schemas.errors import OutputError, reason
from soak.schemas.target.model import Spoken
from soak.schemas.target.templates import fill

REFUSED, BUSY = 3, 75
"""Exit codes of a command that submits: the key is taken; try again later (`EX_TEMPFAIL` of sysexits.h). 0: accepted."""

LOG = "submit.log"
_LAST_BYTES = 400


@dataclass(slots=True, eq=False)
class _Running:
    number: int
    popen: "subprocess.Popen[bytes]"
    handle: int
    log_from: int


class CommandIntake:
    """Runs at most `spoken.at_a_time` commands at a time; the others wait for their turn. Close it at the end.

    directory: of the log of all commands. folder: what they are run in.
    """

    def __init__(
        self,
        context: RunContext,
        selector: selectors.BaseSelector,
        spoken: Spoken,
        environment: Mapping[str, str],
        folder: Path,
        directory: Path,
        answer: AnswerTo,
    ) -> None:
        assert spoken.command
        self._words = shlex.split(spoken.command)
        self._context, self._selector, self._spoken = context, selector, spoken
        self._environment, self._folder, self._answer = dict(environment), folder, answer
        self._waiting: deque[tuple[int, str, str]] = deque()
        self._running: set[_Running] = set()
        self._path = directory / LOG
        self._log: IO[bytes] = _opened(self._path)

    def start(self) -> None:
        """Nothing is to be started."""

    def submit(self, number: int, key: str, payload: str) -> None:
        """See `Intake`."""
        self._waiting.append((number, key, payload))
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and len(self._running) < self._spoken.at_a_time:
            self._start(*self._waiting.popleft())

    def _start(self, number: int, key: str, payload: str) -> None:
        words = [fill(each, {"key": key, "payload": payload}) for each in self._words]
        log_from = self._log.seek(0, os.SEEK_END)
        try:
            popen = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,
            )
        except OSError as error:
            why = f"{words[0]} cannot be started: {reason(error)}"
            self._context.at(self._context.now(), lambda: self._answer(number, Answer.BUSY, why))
            return
        running = _Running(number, popen, os.pidfd_open(popen.pid), log_from)
        self._running.add(running)
        self._selector.register(running.handle, selectors.EVENT_READ, lambda: self._ended(running))
        late_s = self._context.now() + self._spoken.timeout_s * self._context.clock.speed
        self._context.at(late_s, lambda: self._is_late(running))

    def _ended(self, running: _Running, why: str = "") -> None:
        code = running.popen.wait()
        self._forget(running)
        answer = _ANSWERS.get(code, Answer.UNKNOWN) if not why else Answer.UNKNOWN
        how = f"was ended by signal {-code}" if code < 0 else f"exited with {code}"
        last = self._last_line(running.log_from) if answer in {Answer.BUSY, Answer.UNKNOWN} else ""
        self._answer(running.number, answer, why or f"{self._words[0]} {how}{f': {last}' if last else ''}")
        self._go_on()

    def _is_late(self, running: _Running) -> None:
        if running in self._running:
            kill_session(running.popen.pid)
            self._ended(running, f"{self._words[0]} has not ended after {self._spoken.timeout_s:g} s")

    def _forget(self, running: _Running) -> None:
        self._running.discard(running)
        self._selector.unregister(running.handle)
        os.close(running.handle)

    def _last_line(self, log_from: int) -> str:
        with self._path.open("rb") as file:
            file.seek(max(log_from, file.seek(0, os.SEEK_END) - _LAST_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
        return next((each.strip() for each in reversed(lines) if each.strip()), "")

    def close(self) -> None:
        """Kill what still runs."""
        for each in list(self._running):
            kill_session(each.popen.pid)
            each.popen.wait()
            self._forget(each)
        self._log.close()


_ANSWERS = {0: Answer.ACCEPTED, REFUSED: Answer.REFUSED, BUSY: Answer.BUSY}


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("ab", buffering=0)
    except OSError as error:
        raise OutputError.of(path, error) from None
