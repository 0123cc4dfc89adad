"""The body of a task as the orchestrator's workers know it."""

import os

from soak import body
from soak.systems.orchestrator.body import PermanentError, Result, TransientError
from soak.systems.orchestrator.model import Task

_body: body.Body | None = None


def run(task: Task, worker: str) -> Result:
    """Execute a task as planned. Raises TransientError or PermanentError as planned."""
    global _body  # noqa: PLW0603 - one connection for the life of the process
    try:
        _body = _body or body.Body()
        return Result(tokens=_body.run(task.payload, attempt=task.attempt, worker=worker).tokens)
    except body.TransientError as error:
        raise TransientError(*error.args) from None
    except body.PermanentError as error:
        raise PermanentError(*error.args) from None
    except body.RunnerGoneError:
        # So is the reason to work on.
        os._exit(1)
