"""The processes that the system under test consists of."""

import time
from collections.abc import Mapping
from pathlib import Path

from runner.targets.orchestrator.names import worker_name
from runner.targets.orchestrator.processes import Processes
from schemas.errors import SoakError
from schemas.model import Queue

_READY_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.01
_BODY = "runner.targets.orchestrator.body:run"


class System(Processes):
    """Workers, dispatchers and a watchdog, started from settings.json in `sockets`; logs go to `directory`."""

    def __init__(self, queue: Queue, directory: Path, sockets: Path, environment: Mapping[str, str]) -> None:
        super().__init__(directory, environment)
        self._sockets = sockets
        self._workers = [worker_name(index) for index in range(queue.workers)]
        config = "--config", str(sockets / "settings.json"), "--name"
        try:
            for name in self._workers:
                self.start(name, "systems.orchestrator.worker", *config, name, "--body", _BODY)
            for index in range(queue.dispatchers):
                self.start(f"dispatcher{index}", "systems.orchestrator.dispatcher", *config, f"dispatcher{index}")
            self.start("watchdog", "systems.orchestrator.watchdog", *config, "watchdog")
        except BaseException:
            self.close()
            raise

    def wait_until_ready(self) -> None:
        """Wait for every worker to listen. Raises SoakError that names the log of one that does not."""
        until = time.monotonic() + _READY_WITHIN_S
        missing = self._workers
        while missing := [name for name in missing if not (self._sockets / f"{name}.sock").exists()]:
            gone = self.gone()
            if gone or time.monotonic() > until:
                name = (gone or missing)[0]
                log = self.directory / f"{name}.log"
                raise SoakError(f"{name} of the orchestrator did not start: {_last_line(log)} (see {log})")
            time.sleep(_LOOK_EVERY_S)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1] if lines else "it says nothing"
