"""Logins: values that a request gives, such as a token; renewed before they expire and after a 401, by one request at a time."""

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from msgspec import Struct

from soak.runner.http.answers import Outcome
from soak.schemas.language.http import RequestError

PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
"""Real seconds until a login that failed is tried again; doubled each time, up to the second."""


class Lock(AbstractContextManager[Any], Protocol):
    """A lock, such as that of `threading` or of gevent."""

    def acquire(self, blocking: bool = True) -> bool:
        """Take it, or return False."""

    def release(self) -> None:
        """Give it back."""


@dataclass(slots=True)
class Holder:
    """What one tenant or user got by its login.

    before: what it had until the last time. version: how many times it got it (0: never). at_s: when. failed: the outcome of a
    try since then that failed; tries: how many did one after the other; again_s: when it may be tried again.
    """

    lock: Lock
    saved: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    version: int = 0
    at_s: float = 0.0
    failed: Outcome | None = None
    tries: int = 0
    again_s: float = 0.0


Attempt = Callable[[dict[str, Any]], tuple[Outcome, Mapping[str, Any]]]
"""Sends a login or a renewal with the values so far; gives its outcome and what is to be kept of the answer."""


class Ways(Struct, frozen=True):
    """How one holder gets its values. first: the login; again: the renewal, None where values are never renewed."""

    first: Attempt
    again: Attempt | None


@dataclass(slots=True)
class Logins:
    """The values of all tenants or users. clock: real seconds; renew_after_s: the age at which they are renewed."""

    clock: Callable[[], float]
    renew_after_s: float | None = None
    lock: Callable[[], Lock] = threading.Lock
    _holders: dict[tuple[int, str], Holder] = field(default_factory=dict)

    def holder(self, key: tuple[int, str]) -> Holder:
        """That of a user and tenant, or of all."""
        found = self._holders.get(key)
        return self._holders.setdefault(key, Holder(self.lock())) if found is None else found

    def asks(self, holder: Holder) -> bool:
        """Whether `ready` has anything to do."""
        return not holder.version or self._is_old(holder)

    def _is_old(self, holder: Holder) -> bool:
        return self.renew_after_s is not None and self.clock() >= holder.at_s + self.renew_after_s

    def ready(self, holder: Holder, ways: Ways) -> Outcome | None:
        """Log in if that was not done, and renew what is old. Returns why there is nothing to send with, or None.

        While one request renews what is still valid, the others go on with it; a first login all wait for.
        """
        if not holder.version:
            return self._first(holder, ways)
        if ways.again and self._is_old(holder):
            self._renew_old(holder, ways)
        return None

    def _first(self, holder: Holder, ways: Ways) -> Outcome | None:
        seen = holder.tries
        with holder.lock:
            if holder.version:
                return None
            if holder.failed and (holder.tries != seen or self.clock() < holder.again_s):
                return holder.failed
            return self._try(holder, (ways.first,))

    def _renew_old(self, holder: Holder, ways: Ways) -> None:
        if self.clock() < holder.again_s or not holder.lock.acquire(blocking=False):
            return
        try:
            self._try(holder, _renewal(ways))
        finally:
            holder.lock.release()

    def refused(self, holder: Holder, version: int, ways: Ways) -> Outcome | None:
        """Renew after a 401 to a request sent with the values of `version`, unless another has. Returns why it failed, or None.

        `ways.again` must be there.
        """
        seen = holder.tries
        with holder.lock:
            if holder.version != version:
                return None
            if holder.failed and (holder.tries != seen or self.clock() < holder.again_s):
                return holder.failed
            return self._try(holder, _renewal(ways))

    def _try(self, holder: Holder, attempts: tuple[Attempt, ...]) -> Outcome | None:
        """Try one after the other until one succeeds; the lock is held."""
        outcome = Outcome(RequestError.NO_LOGIN)
        for attempt in attempts:
            outcome, kept = attempt(holder.saved)
            if not outcome.error:
                holder.before, holder.saved = holder.saved, {**holder.saved, **kept}
                holder.version, holder.at_s = holder.version + 1, self.clock()
                holder.failed, holder.tries, holder.again_s = None, 0, 0.0
                return None
        holder.tries += 1
        holder.again_s = self.clock() + min(PAUSE_S * 2 ** min(holder.tries - 1, 10), LONGEST_PAUSE_S)
        holder.failed = outcome._replace(error=RequestError.NO_LOGIN, detail=f"login: {outcome.detail}")
        return holder.failed


def _renewal(ways: Ways) -> tuple[Attempt, ...]:
    """The renewal, and the login itself where that fails: what a renewal needs may have expired, too."""
    assert ways.again is not None
    return (ways.again,) if ways.again is ways.first else (ways.again, ways.first)
