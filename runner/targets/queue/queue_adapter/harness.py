"""What a check of a queue's contract has at hand: a new queue, and words for what it may do."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from soak.contract import Accepted, BusyError, Claim, Expired, Queue, QueueSettings, Refused, Snapshot
from soak.runner.targets.checks import LOOK_EVERY_S, SHORT_S, UnmetError, expect, expect_counts, settings_for_checks
from soak.runner.targets.queue.queue_adapter.caller import QueueCaller

THREADS = 8


class _Patient(QueueCaller):
    """Asks again for as long as the queue is busy, up to the time a call may take."""

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
        """Begin again with an empty queue."""
        self.queue.close()
        self.queue = self._make()

    def add(self, key: str) -> Accepted:
        """Enqueue a key that is not taken."""
        answer = self.queue.enqueue(key, f"payload of {key}")
        if not isinstance(answer, Accepted):
            raise UnmetError(f"key {key} to be accepted", answer)
        return answer

    def take(self, worker: str = "w0") -> Claim:
        """Claim work that is there."""
        claim = self.queue.claim(worker)
        if claim is None:
            raise UnmetError("claim to give the task that is due", claim)
        return claim

    def added_and_taken(self, key: str) -> Claim:
        """Enqueue a key, and claim its task."""
        self.add(key)
        return self.take()

    def wait_for_claim(self) -> Claim:
        """Claim work that becomes due within the time a call may take."""
        claim: Claim | None = self._until(lambda: self.queue.claim("w1"))
        if claim is None:
            raise UnmetError(f"claim to give the task within {self.patience_s:g} s", claim)
        return claim

    def wait_for_expiry(self) -> list[Expired]:
        """What `recover` finds, once the lease has run out."""
        time.sleep(SHORT_S)
        found: list[Expired] = self._until(self.queue.recover)
        return found

    def refuses(self, state: str) -> None:
        """Its key is taken."""
        answer = self.queue.enqueue("a", "payload of a")
        expect(f"Refused() for a key that is {state}", answer, met=isinstance(answer, Refused))

    def is_empty_handed(self, why: str) -> None:
        """It has nothing to give."""
        claim = self.queue.claim("w9")
        expect(f"None from claim: {why}", claim, met=claim is None)

    def is_refused(self, claim: Claim, why: str) -> None:
        """Nothing can be done with a claim any more."""
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
        """Its snapshot is this one."""
        expect_counts(meant, self.queue.snapshot())

    def close(self) -> None:
        """Let go of the queue."""
        self.queue.close()

    def _until(self, call: Callable[[], Any]) -> Any:
        until = time.monotonic() + self.patience_s
        while not (answer := call()) and time.monotonic() < until:
            time.sleep(LOOK_EVERY_S)
        return answer
