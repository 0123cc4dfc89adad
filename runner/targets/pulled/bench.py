"""What a check of a contract has at hand: a new queue with settings that make it quick, and words for what was expected."""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from runner.targets.contract import Accepted, BusyError, Claim, Expired, Queue, QueueSettings, Refused, Snapshot
from runner.targets.pulled.caller import Caller, ContractError
from schemas.errors import SoakError, shortened

LONG_S, SHORT_S = 60.0, 0.2
"""Leases that never end within a check, and those that do."""

BACKOFF_S = (0.1, 0.2)
MAX_ATTEMPTS = 3
THREADS = 8
_LOOK_EVERY_S = 0.005


class UnmetError(ContractError):
    """A check did not come out as the contract says."""

    def __init__(self, expected: str, came: object) -> None:
        self.expected, self.came = expected, shortened(came if isinstance(came, str) else repr(came))
        super().__init__(f"expected {self.expected}, got {self.came}")


class SkippedError(SoakError):
    """A check that does not apply, and why."""


class _Patient(Caller):
    """Asks again for as long as the queue is busy, up to the time a call may take."""

    def _call(self, method: str, *words: object, **named: object) -> Any:
        until = time.monotonic() + self._patience_s
        while True:
            try:
                return super()._call(method, *words, **named)
            except BusyError:
                if time.monotonic() > until:
                    raise self.broke(method, f"raised BusyError for {self._patience_s:g} s") from None
                time.sleep(_LOOK_EVERY_S)


def settings_for_checks(directory: Path, lease_s: float) -> QueueSettings:
    """Settings under which a check is over soon."""
    return QueueSettings(
        directory=directory,
        lease_s=lease_s,
        heartbeat_s=lease_s / 4,
        backoff_s=BACKOFF_S,
        max_attempts=MAX_ATTEMPTS,
        soft_tokens=1_000,
        hard_tokens=2_000,
        workers=THREADS,
        speed=1.0,
    )


class Bench:
    """One new queue; `fresh` makes another."""

    def __init__(self, make: Callable[[], Caller], patience_s: float) -> None:
        self._make = make
        self.patience_s = patience_s
        self.queue = make()

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
        snapshot = self.queue.snapshot()
        expect(_shown(meant), _shown(snapshot), met=snapshot == meant)

    def _until(self, call: Callable[[], Any]) -> Any:
        until = time.monotonic() + self.patience_s
        while not (answer := call()) and time.monotonic() < until:
            time.sleep(_LOOK_EVERY_S)
        return answer


def _shown(snapshot: Snapshot) -> str:
    counts = ((getattr(snapshot, field.name), field.name) for field in fields(Snapshot))
    return ", ".join(f"{number} {state}" for number, state in counts if number) or "no task"


def expect(expected: str, came: object, *, met: bool) -> None:
    """Raises UnmetError unless `met`."""
    if not met:
        raise UnmetError(expected, came)


def constructor(kind: type[Queue], directories: Callable[[], Path], lease_s: float, patience_s: float) -> Caller:
    """A new queue in a new directory."""
    return _Patient(kind, settings_for_checks(directories(), lease_s), patience_s)


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, what to do with a queue to see it kept, and for how long its leases are."""

    name: str
    run: Callable[[Bench], None]
    lease_s: float


class Checks(list[Check]):
    """Checks in the order in which they are run."""

    def add(self, name: str, lease_s: float = LONG_S) -> Callable[[Callable[[Bench], None]], Callable[[Bench], None]]:
        """Make a check of a function."""

        def keep(run: Callable[[Bench], None]) -> Callable[[Bench], None]:
            self.append(Check(name, run, lease_s))
            return run

        return keep
