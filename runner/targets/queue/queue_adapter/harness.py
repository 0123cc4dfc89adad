"""The harness of a queue's contract checks: a new queue, and assertions."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from soak.contract import Accepted, BusyError, Claim, Expired, Queue, QueueSettings, Refused, Snapshot
from soak.runner.targets.queue.checks import (
    LOOK_EVERY_S,
    SHORT_S,
    UnmetError,
    expect,
    expect_counts,
    settings_for_checks,
)
from soak.runner.targets.queue.queue_adapter.caller import QueueCaller

THREADS = 8


class _Patient(QueueCaller):
    """Retries while the queue is busy, up to the timeout."""

    def _call(self, method: str, *words: object, **named: object) -> Any:
        until = time.monotonic() + self._patience_s
        while True:
            try:
                return super()._call(method, *words, **named)
            except BusyError:
                if time.monotonic() > until:
                    raise self.broke(method, f"raised BusyError for {self._patience_s:g} s") from None
                time.sleep(LOOK_EVERY_S)


class ContractHarness:
    """One new queue; `fresh` makes another."""

    def __init__(self, kind: type[Queue], directories: Callable[[], Path], lease_s: float, patience_s: float) -> None:
        self._kind = kind
        self._directories = directories
        self._lease_s = lease_s
        self.patience_s = patience_s
        self.queue = self._make()

    def _make(self) -> QueueCaller:
        settings = QueueSettings(**settings_for_checks(self._directories(), self._lease_s, THREADS))
        return _Patient(self._kind, settings, self.patience_s)

    def fresh(self) -> None:
        """Start again with an empty queue."""
        self.queue.close()
        self.queue = self._make()

    def add(self, key: str) -> Accepted:
        """Enqueue a new key."""
        answer = self.queue.enqueue(key, f"payload of {key}")
        if not isinstance(answer, Accepted):
            raise UnmetError(f"key {key} to be accepted", answer)
        return answer

    def take(self, worker: str = "w0") -> Claim:
        """Claim work that is due."""
        claim = self.queue.claim(worker)
        if claim is None:
            raise UnmetError("claim to return the due task", claim)
        return claim

    def added_and_taken(self, key: str) -> Claim:
        """Enqueue a key, and claim its task."""
        self.add(key)
        return self.take()

    def wait_for_claim(self) -> Claim:
        """Claim work that becomes due within the timeout."""
        claim: Claim | None = self._until(lambda: self.queue.claim("w1"))
        if claim is None:
            raise UnmetError(f"claim to return the task within {self.patience_s:g} s", claim)
        return claim

    def wait_for_expiry(self) -> list[Expired]:
        """The result of `recover`, once the lease has expired."""
        time.sleep(SHORT_S)
        found: list[Expired] = self._until(self.queue.recover)
        return found

    def refuses(self, state: str) -> None:
        """Assert that its key is refused."""
        answer = self.queue.enqueue("a", "payload of a")
        expect(f"Refused() for a key that is {state}", answer, met=isinstance(answer, Refused))

    def is_empty_handed(self, why: str) -> None:
        """Assert that there is nothing to claim."""
        claim = self.queue.claim("w9")
        expect(f"None from claim: {why}", claim, met=claim is None)

    def is_refused(self, claim: Claim, why: str) -> None:
        """Assert that a claim is refused by every method."""
        calls: list[tuple[str, Callable[[], object], object]] = [
            ("heartbeat", lambda: self.queue.heartbeat(claim), False),
            ("complete", lambda: self.queue.complete(claim), False),
            ("block", lambda: self.queue.block(claim, "budget"), False),
            ("fail", lambda: self.queue.fail(claim, "network", transient=True), Refused()),
        ]
        for name, call, meant in calls:
            came = call()
            expect(f"{meant} from {name} with a claim that {why}", came, met=came == meant)

    def counts(self, meant: Snapshot) -> None:
        """Assert its snapshot."""
        expect_counts(meant, self.queue.snapshot())

    def close(self) -> None:
        """Close the queue."""
        self.queue.close()

    def _until(self, call: Callable[[], Any]) -> Any:
        until = time.monotonic() + self.patience_s
        while not (answer := call()) and time.monotonic() < until:
            time.sleep(LOOK_EVERY_S)
        return answer
