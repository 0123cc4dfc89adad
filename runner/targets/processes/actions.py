"""What a target file has soak do at a time: a request, or a command. None of it holds up the run."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.ending import run_command
from soak.runner.targets.processes.requests import RequestError, request
from soak.schemas.target.model import Action

_GOOD = range(200, 300)
_SLACK_S = 1.0


class Actions:
    """Does them, each by itself; the answer is empty, or says what went wrong.

    environment, folder: of commands; None: soak's own.
    """

    def __init__(
        self, background: Background, environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> None:
        self._background = background
        self._environment, self._folder = environment, folder
        self._threads = ThreadPoolExecutor(4, "actions")

    def begin(self, action: Action) -> "Future[str]":
        """Do it; its texts have no names in braces left."""
        if action.url is not None:
            return self._background.submit(_request(action, action.url))
        return self._threads.submit(self._command, action)

    def do(self, action: Action) -> str:
        """Do it, and wait for the answer."""
        return self.begin(action).result(action.timeout_s + _SLACK_S)

    def _command(self, action: Action) -> str:
        assert action.command is not None
        done = run_command(action.command, self._environment, self._folder, action.timeout_s)
        return "" if done else "the command failed"

    def close(self) -> None:
        """Wait for what is going on."""
        self._threads.shutdown()


async def _request(action: Action, url: str) -> str:
    try:
        answer = await request(url, action.timeout_s, action.method, action.body)
    except RequestError as error:
        return str(error)
    return "" if answer.status in _GOOD else f"answered {answer.status}"
