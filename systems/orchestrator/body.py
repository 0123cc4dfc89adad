"""What a worker does with a task: a function `body(task, worker) -> Result`, named as `package.module:function`."""

import importlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from soak.systems.orchestrator.model import Task


@dataclass(frozen=True, slots=True)
class Result:
    """What a body gives back: the tokens it used, and a short report for people."""

    tokens: int = 0
    report: str = ""


Body = Callable[[Task, str], Result]


class TransientError(Exception):
    """The attempt failed for a reason that may pass; the message is the name of the error."""


class PermanentError(Exception):
    """The attempt failed and would fail again; the message is the name of the error."""


class BodyNameError(Exception):
    """There is no body of that name."""


def load_body(name: str) -> Body:
    """The function named as `package.module:function`. Raises BodyNameError."""
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise BodyNameError(f"no body {name!r}: {error}") from error
    if not callable(found):
        raise BodyNameError(f"no body {name!r}: not a function")
    return cast(Body, found)


def sleep(task: Task, _worker: str) -> Result:
    """Sleep as long as the payload says, and end as it says: `{"sleep_s": 1.5, "tokens": 10, "error": "timeout"}`."""
    try:
        wish = json.loads(task.payload or "{}")
        time.sleep(float(wish.get("sleep_s", 0)))
        tokens, error = int(wish.get("tokens", 0)), wish.get("error")
    except (ValueError, TypeError, AttributeError) as wrong:
        raise PermanentError(f"wrong payload: {wrong}") from wrong
    if error:
        raise TransientError(str(error))
    return Result(tokens, f"task {task.id} slept")
