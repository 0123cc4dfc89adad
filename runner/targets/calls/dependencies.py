"""The processes of the dependencies: started on their own ports, killed, restarted and replaced by a release."""

import json
import os
import signal
import socket
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from soak.runner.targets.queue.orchestrator.processes import Processes
from soak.schemas.errors import SoakError
from soak.schemas.systems.calls.faults import CallFault
from soak.schemas.systems.calls.settings import Dependency
from soak.simulation.plan import Plan
from soak.systems.calls.settings import Settings

_MODULE = "soak.systems.calls.dependency"
_READY_WITHIN_S = 30.0
LOOK_EVERY_S = 0.005
_PORTS_KEPT = 3


class Port:
    """A reserved port of the loopback interface, with or without a listener."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """Release it."""
        self._socket.close()


class Program:
    """The successive processes of one dependency; `url` is its current or last address."""

    def __init__(self, dependency: Dependency, plan: Plan, speed: float, directory: Path) -> None:
        self.dependency = dependency
        self.account = directory / f"{dependency.name}.account.jsonl"
        # An unreadable file and a full file system are not part of the evidence.
        self._scratch = tempfile.TemporaryDirectory(prefix="soak-")
        self._settings = _settings(dependency, plan, speed, self.account, Path(self._scratch.name))
        self._processes = Processes(directory, {"MALLOC_ARENA_MAX": "1"})
        self._guard = threading.Lock()
        self._refusing = Port()
        self._ports = [Port()]
        self._name = ""
        self._generation = 0

    @property
    def url(self) -> str:
        """Address of the serving process."""
        return f"http://127.0.0.1:{self._ports[-1].number}"

    @property
    def refusing_url(self) -> str:
        """Address without a listener."""
        return f"http://127.0.0.1:{self._refusing.number}"

    def launch(self, *, bad: bool = False) -> str:
        """Start a process on a new port, beside the serving one; returns its name. See `is_ready`, `switch_to`."""
        name = f"{self.dependency.name}{f'-{self._generation}' if self._generation else ''}"
        if self._generation:
            self._ports.insert(0, Port())
        port = self._ports[0].number
        self._generation += 1
        settings = {**asdict(self._settings), "port": port, "bad": bad}
        with self._guard:
            self._processes.start(name, _MODULE, json.dumps(settings))
        return name

    def is_ready(self, name: str) -> bool:
        """Whether the process started last accepts connections. Raises SoakError if it exited."""
        if name not in self.processes():
            log = self._processes.directory / f"{name}.log"
            last = (log.read_text(encoding="utf-8", errors="replace").splitlines() or ["no output"])[-1]
            raise SoakError(f"the dependency {name} did not start: {last} (see {log.name})")
        with socket.socket() as to, suppress(OSError):
            to.connect(("127.0.0.1", self._ports[0].number))
            return True
        return False

    def switch_to(self, name: str) -> str:
        """Switch to the process started last; returns the name of the previous one, which runs until `retire`."""
        before, self._name = self._name, name
        if len(self._ports) > 1:
            self._ports.append(self._ports.pop(0))
        while len(self._ports) > _PORTS_KEPT:
            self._ports.pop(0).close()
        return before

    def retire(self, name: str) -> None:
        """Ask a process to exit when its calls have ended."""
        if pid := self.processes().get(name):
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGTERM)

    def start(self) -> None:
        """Start the first process, and wait until it serves. Raises SoakError."""
        name, until = self.launch(), time.monotonic() + _READY_WITHIN_S
        while not self.is_ready(name):
            if time.monotonic() > until:
                raise SoakError(f"the dependency {name} is not ready after {_READY_WITHIN_S:g} s")
            time.sleep(LOOK_EVERY_S)
        self.switch_to(name)

    def kill(self) -> None:
        """SIGKILL the serving process, by its id; it has exited when this returns."""
        with self._guard:
            self._processes.kill(self._name)
        self._name = ""

    def is_alive(self) -> bool:
        """Whether the serving process is running."""
        return self._name in self.processes()

    def processes(self) -> dict[str, int]:
        """Process ids by name; exited ones are dropped."""
        with self._guard:
            for name in self._processes.gone():
                if name != self._name:
                    self._processes.lost(name)
            return self._processes.processes()

    def close(self) -> None:
        """End every process."""
        with self._guard:
            self._processes.stop()
        for port in (self._refusing, *self._ports):
            port.close()
        self._scratch.cleanup()


def _settings(dependency: Dependency, plan: Plan, speed: float, account: Path, scratch: Path) -> Settings:
    capacity, quota, store = dependency.capacity, dependency.quota, dependency.store
    own = [fault for fault in plan.scenario.faults if fault.dependency == dependency.name]
    return Settings(
        name=dependency.name,
        port=0,
        account=str(account.resolve()),
        directory=str(scratch),
        workers=capacity.workers if capacity else 0,
        waiting=capacity.waiting if capacity else 0,
        rate_per_s=quota.rate_per_s * speed if quota else -1.0,
        burst=quota.burst if quota else 1,
        memory_bytes=dependency.memory_bytes or 0,
        records=store.records if store else 0,
        isolation=str(store.isolation) if store else "none",
        disk=any(fault.type == CallFault.DISK_FULL for fault in own),
    )
