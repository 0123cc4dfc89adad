"""What workers do in tests: every execution is in a ledger of its own, whatever the store says."""

import json
import os
import time
from pathlib import Path

from soak.systems.orchestrator.body import PermanentError, Result, TransientError
from soak.systems.orchestrator.model import Task


def recorded(task: Task, worker: str) -> Result:
    """Do as the payload says; `errors` names the attempts that fail, and `wait_for` a file to wait for."""
    wish = json.loads(task.payload or "{}")
    _write("started", task, worker)
    time.sleep(wish.get("sleep_s", 0))
    while (gate := wish.get("wait_for")) and not Path(gate).exists():
        time.sleep(0.005)
    if (error := wish.get("errors", {}).get(str(task.attempt))) or wish.get("broken"):
        _write("failed", task, worker)
        raise TransientError(error) if error else PermanentError("broken")
    _write("ended", task, worker)
    return Result(wish.get("tokens", 0), "done")


def _write(what: str, task: Task, worker: str) -> None:
    # One small write to a file opened for appending: lines of several processes do not mix.
    with open(os.environ["LEDGER"], "a") as ledger:  # noqa: PTH123
        ledger.write(f"{what} {task.id} {task.attempt} {worker}\n")
