"""Faults that strike a process: it is killed, told to end in the middle of its work, stopped, or kept from its port."""

import signal
import socket
from contextlib import suppress

from soak.runner.targets.pipeline.places import input_of
from soak.runner.targets.pipeline.strikes import Strike
from soak.runner.targets.processes.ending import kill, send
from soak.runner.targets.processes.group import Happening, Seen
from soak.runner.targets.processes.identity import ProcessId, stat
from soak.runner.targets.processes.ports import LOOPBACK
from soak.schemas.stream.events import Kind

_ENOUGH, _LEAST_REAL_S = 5, 0.25
"""That many more records must wait for a process that does nothing, after so long."""


class AtProcess(Strike):
    """Strikes a process by its name."""

    ended = False
    struck: ProcessId | None = None
    _since_s: float | None = None

    @property
    def name(self) -> str:
        """The process."""
        return self.fault.dependency

    def kill(self) -> bool:
        """Kill it as the target file says; whether it was there."""
        process = self.on.group.current(self.name)
        if process is None:
            return False
        self._expect_its_end()
        how = self.on.group.processes[self.name].kill
        if not kill(process, how, folder=self.on.directory):
            self.on.observer.expected.pop(self.name, None)
            return False
        self.struck = process
        return True

    def _expect_its_end(self) -> None:
        now_s = self._since_s = self.on.context.now()
        self.on.observer.expected[self.name] = self.cause
        self.on.observer.struck_s[self.name] = now_s

    def since_s(self, begun_s: float) -> float:
        """See `Strike`."""
        return begun_s if self._since_s is None else self._since_s

    def saw(self, seen: Seen) -> None:
        """See `Strike`."""
        if seen.name == self.name and seen.what is Happening.ENDED and seen.process == self.struck:
            self.ended = True


class ProcessKill(AtProcess):
    """SIGKILL; with `during: startup`, again as soon as it has been started anew."""

    def __init__(self, *what: object) -> None:
        super().__init__(*what)  # type: ignore[arg-type]
        self._again = self.on.pipeline.faults[self.fault.name].during_startup

    def begin(self) -> bool:
        """See `Strike`."""
        return self.kill()

    def may_end(self) -> bool:
        """See `Strike`."""
        return self.ended and not self._again

    def saw(self, seen: Seen) -> None:
        """See `Strike`."""
        super().saw(seen)
        if self._again and self.ended and seen.name == self.name and seen.what is Happening.STARTED and self.kill():
            self._again = self.ended = False
            context = self.on.context
            context.note(self.since_s(context.now()), Kind.FAULT_INJECTED, cause=self.cause)


class TermDuringBatch(AtProcess):
    """SIGTERM at a moment at which it has taken records in that are not stored."""

    def begin(self) -> bool:
        """See `Strike`."""
        process = self.on.group.current(self.name)
        if process is None or not self._holds_records():
            return False
        self._expect_its_end()
        self.struck = process
        return send(process, signal.SIGTERM)

    def _holds_records(self) -> bool:
        """Whether what it can have read is not in everything that it writes."""
        struck = self.on
        struck.ledgers.read(struck.context.now())
        tallies, number = struck.flow.book.tallies, struck.pipeline.process(self.name)
        writes = struck.pipeline.processes[number].writes
        behind = [tallies[place.name].distinct for place in struck.flow.places if place.stream == writes]
        before = input_of(struck.flow.places, struck.pipeline, number)
        there = struck.flow.book.sent if before is None else tallies[before.name].distinct
        return bool(behind) and min(behind) < max(there, *behind)

    def may_end(self) -> bool:
        """See `Strike`."""
        return self.ended


class ProcessHang(AtProcess):
    """SIGSTOP, and SIGCONT at its end."""

    _before = _stopped_s = 0.0
    _red = False

    def begin(self) -> bool:
        """See `Strike`."""
        process = self.on.group.current(self.name)
        if process is None or not send(process, signal.SIGSTOP):
            return False
        self.struck = process
        self._before, self._stopped_s = self._waiting, self.on.context.now()
        return True

    @property
    def _waiting(self) -> float:
        return self.on.flow.waiting.now().get(self.on.pipeline.process(self.name), 0.0)

    def shows(self) -> bool:
        """See `Strike`: its probe is red, or records pile up before it, while it is stopped."""
        assert self.struck
        if self._red:
            return True
        if self.on.context.now() - self._stopped_s < _LEAST_REAL_S * self.on.context.clock.speed:
            return False
        state = stat(self.struck.pid)
        return bool(state and state.stopped) and self._waiting >= self._before + _ENOUGH

    def saw(self, seen: Seen) -> None:
        """See `Strike`."""
        super().saw(seen)
        self._red = self._red or (seen.name == self.name and seen.what in {Happening.RED, Happening.ENDED})

    def end(self) -> None:
        """See `Strike`."""
        if self.struck:
            send(self.struck, signal.SIGCONT)


class PortTaken(AtProcess):
    """It is killed, and its port is occupied until the end."""

    _socket: socket.socket | None = None

    def begin(self) -> bool:
        """See `Strike`. Where it was back before the port was free, it is killed again."""
        if self.struck is None and not self.kill():
            return False
        if self.struck is not None and self.struck.is_alive():
            return False
        port = self.on.group.processes[self.name].port
        assert port is not None
        taken = socket.socket()
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((LOOPBACK, int(port)))
            taken.listen()
        except OSError:
            taken.close()
            if self.on.group.current(self.name) not in {None, self.struck}:
                self.struck = None
            return False
        self._socket = taken
        return True

    def saw(self, seen: Seen) -> None:
        """See `Strike`. What is started meanwhile ends by this fault, too."""
        super().saw(seen)
        if self._socket is not None and seen.name == self.name and seen.what is Happening.STARTED:
            self.on.observer.expected[self.name] = self.cause
        if seen.name == self.name and seen.what is Happening.HEALTHY:
            self.on.observer.expected.pop(self.name, None)

    def end(self) -> None:
        """See `Strike`."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
            self._socket = None
