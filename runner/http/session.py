"""The requests of a run, as one process sends them: by kind and number, with login, and with what was kept of earlier answers."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from soak.runner.http.allowed import Allowed
from soak.runner.http.answers import Outcome
from soak.runner.http.exchanges import Exchanger, Ready, Send
from soak.runner.http.inputs import Inputs
from soak.runner.http.logins import Attempt, Holder, Lock, Logins, Ways
from soak.runner.http.render import Context, Names
from soak.runner.http.requests import Prepared
from soak.runner.secrets import hidden
from soak.schemas.language.http import Exchange, Http, Who

NOBODY = -1
"""The user of requests that no user sends."""

UNAUTHORIZED = 401


_LEAST_HIDDEN = 8
"""What a login gives and is shorter, such as a number, is not a token: replacing it would only make texts unreadable."""


class Session:
    """The requests of one process. Threads may use it at once, and greenlets, whose `lock` must be one of theirs."""

    def __init__(
        self,
        http: Http,
        exchanges: Mapping[str, Exchange],
        *,
        seed: int,
        url: str = "",
        inputs: Inputs | None = None,
        tenants: Sequence[str] = (),
        speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        lock: Callable[[], Lock] = threading.Lock,
    ) -> None:
        """Compile `exchanges`, by the name of their kind (or check). url: of the service, instead of the scenario's.

        tenants: in order, for what is drawn for their logins. clock: real seconds. Raises UsageError for names that nothing
        defines and hosts that may not be contacted.
        """
        self.url = (url or http.url).rstrip("/")
        self.allowed = Allowed(self.url, http.hosts)
        self._inputs = inputs or Inputs()
        self._tenants = {name: number for number, name in enumerate(tenants)}
        self._exchanger = Exchanger(http, _names(http, exchanges, self._inputs, seed), self.url, self.allowed)
        self._kinds = {name: self._exchanger.ready(each, f"request of {name}") for name, each in exchanges.items()}
        self._saved: dict[tuple[int, str], dict[str, Any]] = {}
        login = http.login
        self._who = login.who if login else None
        self._first = self._exchanger.ready(login.first, "http.login", is_login=True) if login else None
        self._again = self._exchanger.ready(login.renew, "http.login.renew") if login and login.renew else None
        after_s = login.renew_after_s if login else None
        self._logins = Logins(clock, None if after_s is None else after_s / speed, lock)

    def prepare(self, kind: str, number: int, tenant: str = "", user: int = NOBODY) -> Prepared:
        """The request of a kind as it would be sent now, without logging in. Raises NotYetError."""
        context = self._context(kind, number, tenant, user)
        if self._who:
            context.given = self._holder(context).saved
        return self._kinds[kind].render(context)

    def perform(self, kind: str, number: int, tenant: str, user: int, send: Send) -> Outcome:
        """Do the request of a kind: log in where needed, send, follow redirects, renew once after a 401, judge, keep.

        number: of the arrival; what is drawn for the request depends on it alone. user: from 0, or NOBODY.
        """
        ready, context = self._kinds[kind], self._context(kind, number, tenant, user)
        if not self._who:
            return self._exchange(ready, context, send)
        holder = self._holder(context)
        if self._logins.asks(holder) and (failed := self._logins.ready(holder, self._ways(context, send))):
            return failed
        context.given, version = holder.saved, holder.version
        outcome = self._exchange(ready, context, send)
        if outcome.status != UNAUTHORIZED or not outcome.error or not self._again:
            return outcome
        if failed := self._logins.refused(holder, version, self._ways(context, send)):
            return failed
        context.given = holder.saved
        return self._exchange(ready, context, send)

    def hidden(self, text: str, tenant: str = "", user: int = NOBODY) -> str:
        """A text for people or files, with every secret in it replaced, and what a tenant or user got by its login."""
        given: list[str] = []
        if self._who:
            holder = self._holder(Context("", 0, tenant, user, {}))
            given = [str(each) for each in (*holder.saved.values(), *holder.before.values())]
        return hidden(text, [*self._inputs.secrets.values(), *(each for each in given if len(each) >= _LEAST_HIDDEN)])

    def _exchange(self, ready: Ready, context: Context, send: Send) -> Outcome:
        outcome, kept = self._exchanger.do(ready, context, send)
        context.saved.update(kept)
        return outcome

    def _context(self, kind: str, number: int, tenant: str, user: int) -> Context:
        # Each user keeps what it was answered as that tenant; where there are no users, all requests of a tenant share it.
        key = (user, tenant)
        saved = self._saved.get(key)
        if saved is None:
            saved = self._saved.setdefault(key, {})
        return Context(kind, number, tenant, user, saved)

    def _holder(self, context: Context) -> Holder:
        """Who logs in for a request."""
        if self._who is Who.RUN:
            return self._logins.holder((NOBODY, ""))
        return self._logins.holder((context.user if self._who is Who.USER else NOBODY, context.tenant))

    def _ways(self, context: Context, send: Send) -> Ways:
        first, again = self._first, self._again
        assert first is not None
        return Ways(self._attempt(first, context, send), self._attempt(again, context, send) if again else None)

    def _attempt(self, ready: Ready, context: Context, send: Send) -> Attempt:
        def attempt(given: dict[str, Any]) -> tuple[Outcome, Mapping[str, Any]]:
            # Who logs in is what is drawn for, not the request that happened to need it.
            is_user = self._who is Who.USER and context.user >= 0
            number = (
                context.user if is_user else self._tenants.get(context.tenant, 0) if self._who is not Who.RUN else 0
            )
            own = Context("login", number, context.tenant, context.user, context.saved)
            own.given = given
            return self._exchanger.do(ready, own, send)

        return attempt


def _names(http: Http, exchanges: Mapping[str, Exchange], inputs: Inputs, seed: int) -> Names:
    login = http.login
    given = [*login.first.saved, *(login.renew.saved if login.renew else ())] if login else []
    constants = {
        name: value if isinstance(value, str) else inputs.secrets.get(name, "") for name, value in http.variables
    }
    tables = {each.name: (inputs.tables[each.name], each.pick) for each in http.data if each.name in inputs.tables}
    saved = (pair for each in exchanges.values() for pair in each.saved)
    return Names(seed, constants, _named(saved), _named(given), tables)


def _named(pairs: Iterable[tuple[str, str]]) -> frozenset[str]:
    return frozenset(name for name, _ in pairs)
