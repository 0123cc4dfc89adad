"""Bodies of a system that gives an account, over the protocol: each says which attempt it is, and when, as the account does."""

import secrets
import selectors
from collections.abc import Callable, Mapping
from pathlib import Path

from soak.runner.console import remark
from soak.runner.targets.caller import ContractError
from soak.runner.targets.queue.foreign.server import Attempt, Server
from soak.runner.targets.queue.system_adapter.body_server import BodyServer, Execution


class ClaimedBodies(BodyServer):
    """Listens on a UNIX socket at `path`, as `BodyServer` does, for clients that speak the protocol."""

    def __init__(self, path: Path, selector: selectors.BaseSelector, tcp: tuple[str, int] | None = None) -> None:
        self.path = path
        self._server = Server(selector, unix=path, tcp=tcp, token=secrets.token_hex(16))
        self._executions: dict[Attempt, Execution] = {}
        self._attempts: dict[Execution, Attempt] = {}
        self._mistakes: dict[str, int] = {}

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables with which clients find it."""
        return self._server.environment

    def answer(
        self,
        *,
        started: Callable[[Execution], None],
        ended: Callable[[Execution, float], None],
        lost: Callable[[Execution], None],
    ) -> None:
        """See `BodyServer`."""

        def begins(attempt: Attempt) -> None:
            execution = self._executions[attempt] = _execution(attempt)
            self._attempts[execution] = attempt
            started(execution)

        self._server.answer(
            started=begins,
            ended=lambda attempt, at, end, error: ended(self._forget(attempt), attempt.said_at or at),
            lost=lambda attempt, at: lost(self._forget(attempt)),
            wrong=self._wrong,
        )

    def finish(self, execution: Execution, *, end: str, error: str = "", tokens: int = 0) -> None:
        """See `BodyServer`."""
        if attempt := self._attempts.get(execution):
            self._server.finish(attempt, end=end, error=error, tokens=tokens)

    def close(self) -> None:
        """See `BodyServer`; mistakes of clients are remarked."""
        self._server.close()
        for words, times in self._mistakes.items():
            remark(f"{words}{f' ({times} times)' if times > 1 else ''}")
        self._mistakes.clear()

    def _forget(self, attempt: Attempt) -> Execution:
        execution = self._executions.pop(attempt)
        del self._attempts[execution]
        execution.over = True
        return execution

    def _wrong(self, words: str) -> None:
        self._mistakes[words] = self._mistakes.get(words, 0) + 1


def _execution(attempt: Attempt) -> Execution:
    """Raises ContractError for a body that does not say what its system's account will say of it."""
    if attempt.claimed is None or attempt.own:
        attempt.over = True
        what = "does work of its own" if attempt.own else "does not say which attempt it is"
        raise ContractError(f"the body of task {attempt.number} {what} (send started with attempt, from 1, and worker)")
    return Execution(attempt.number, attempt.claimed, attempt.worker, attempt.said_at or attempt.started_at)
