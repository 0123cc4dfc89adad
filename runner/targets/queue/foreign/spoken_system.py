"""A process that is a whole system: it owns its workers, and answers what `soak.contract.System` asks, by JSON lines."""

import selectors
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from soak.contract import Accepted, BusyError, Change, Refused, Snapshot, SystemSettings
from soak.runner.console import remark
from soak.runner.targets.queue.foreign import messages
from soak.runner.targets.queue.foreign.messages import Changes, Counted, Processes, Ready, Stopped, Submitted
from soak.runner.targets.queue.foreign.spoken_child import SpokenChild, Start

_T = TypeVar("_T")


class SpokenError(Exception):
    """The process has ended, or answered what is not an answer."""


class SpokenSystem:
    """A `System` in a process of any language. Its calls wait for answers: to be called by a `SystemCaller`, in a thread.

    how: how the process is started, given the settings. A process that ends is the end of the system.
    """

    def __init__(self, settings: SystemSettings, how: Callable[[SystemSettings], Start]) -> None:
        self._selector = selectors.DefaultSelector()
        self._n = count(1)
        self._heard: list[messages.FromSubmitter] = []
        self._why = ""
        self._prints = False
        self._child = SpokenChild(how(settings), self._selector, self._hear, self._over, lambda *_: None)
        try:
            ready = self._wait(Ready, 0)
            if why := messages.refuses_version(ready.version):
                raise SpokenError(f"was refused: {why}")
            if not ready.account:
                raise SpokenError('gives no account of its changes (its first line is to have "account": true)')
        except BaseException:
            self.close()
            raise

    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        """See the contract. Raises BusyError and SpokenError."""
        said = self._ask(Submitted, "submit", key=key, payload=payload)
        if said.answer == "accepted":
            return Accepted(key if said.task is None else said.task)
        if said.answer == "refused":
            return Refused()
        if said.answer == "busy":
            raise BusyError(said.why)
        raise SpokenError(f"does not know whether it has accepted key {key}: {said.why or 'it does not say why'}")

    def changes(self) -> list[Change]:
        """See the contract."""
        found, more = list[Change](), True
        while more:
            said = self._ask(Changes, "changes")
            changes = _given(said.changes, "changes", said.why)
            found += [
                Change(each.type, each.task, each.key, each.at, each.attempt, each.worker, each.due, each.error)
                for each in changes
            ]
            more = said.more and bool(changes)
        return found

    def snapshot(self) -> Snapshot:
        """See the contract."""
        said = self._ask(Counted, "census")
        return Snapshot(**_given(messages.counts_of(said), "census", said.why))

    def processes(self) -> dict[str, int]:
        """See the contract."""
        said = self._ask(Processes, "processes")
        return _given(said.processes, "processes", said.why)

    def stop(self) -> None:
        """See the contract."""
        self._ask(Stopped, "stop")

    def close(self) -> None:
        """End the process and all that it has started."""
        self._child.close()
        self._selector.close()

    def _ask(self, kind: type[_T], op: str, **fields: str) -> _T:
        n = next(self._n)
        self._child.send((op, n), messages.encoded(op=op, n=n, **fields))
        return self._wait(kind, n)

    def _wait(self, kind: type[_T], n: int) -> _T:
        """The answer to a question. Raises SpokenError."""
        while True:
            for said in self._heard:
                if isinstance(said, kind) and getattr(said, "n", 0) == n:
                    self._heard.remove(said)
                    return said
            if self._why:  # what it said before that was heard
                raise SpokenError(self._why)
            for key, _ in self._selector.select():
                key.data()

    def _hear(self, line: bytes) -> None:
        try:
            self._heard.append(messages.of_submitter(line))
        except messages.WrongMessageError as error:
            if line.lstrip().startswith(b"{"):
                self._why = self._why or f"said what is not an answer: {error}"
            elif not self._prints:
                self._prints = True
                remark(f"the process of submit printed what is passed over: {error}")

    def _over(self, why: str) -> None:
        self._why = self._why or why


def _given(answer: _T | None, what: str, why: str) -> _T:
    """An answer. Raises SpokenError where there is none."""
    if answer is None:
        raise SpokenError(f"gave no {what}: {why or 'it does not say why'}")
    return answer
