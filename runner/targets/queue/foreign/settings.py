"""What programs of a task system are told of the scenario: a JSON file, in real seconds."""

import json
import math
from pathlib import Path
from typing import Any

from soak.schemas.errors import writing
from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.settings import queue_of
from soak.schemas.target.model import Workers

CONFIG = "settings.json"


def settings_of(scenario: Scenario, seed: int, speed: float, clock: float, workers: Workers | None) -> dict[str, Any]:
    """The settings of the queue. clock: how many times as fast the system's own clock runs; its seconds are meant.

    What is infinite, such as a heartbeat that is not sent, is None.
    """
    queue, own = queue_of(scenario), speed / clock
    return {
        "workers": worker_count(scenario, workers),
        "concurrency": workers.concurrency if workers else 1,
        "max_attempts": queue.last_attempt,
        "backoff_s": [each / own for each in queue.waits_s],
        "lease_s": queue.lease_s / own,
        "heartbeat_s": None if math.isinf(queue.heartbeat_s) else queue.heartbeat_s / own,
        "hard_tokens": queue.hard_tokens,
        "duration_s": scenario.duration_s / own,
        "speed": speed,
        "seed": seed,
    }


def worker_count(scenario: Scenario, workers: Workers | None) -> int:
    """How many worker processes there are: as the target file says, or else as the scenario does."""
    given = workers.count if workers else None
    return queue_of(scenario).workers if given is None else given


def write_settings(path: Path, settings: dict[str, Any]) -> None:
    """Write them to a file. Raises OutputError."""
    with writing(path):
        path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
