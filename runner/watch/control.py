"""What a page may ask of runs: to mark a moment and to stop, with a token that only the printed link has.

A page from elsewhere cannot ask: it does not know the token, it would be asked first whether it may send JSON and a header of its
own (which nobody answers), and its `Origin` is not this server's. The token is in the fragment of the link, which browsers never
send, so that it is in no log and no referrer.
"""

import secrets
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Struct

from soak.runner.loopback import is_loopback
from soak.runner.requests import LONGEST_NAME, LONGEST_TEXT, Request, ask
from soak.runner.watch.feed import Feed
from soak.runner.watch.state import State

TOKEN_HEADER = "X-Soak-Token"
MOST_BYTES = 4096
_MOST_DIGITS = 20
"""Of a stated length; very many of them are no number for Python."""
_ACTIONS = {"/mark": "mark", "/stop": "stop"}


class Said(Struct, frozen=True):
    """A POST request: its path and headers, its stated length, and what reads its body."""

    path: str
    headers: Message
    length: str
    read: Callable[[int], bytes]


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    run: Annotated[int, msgspec.Meta(ge=0, lt=1000)]
    text: Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)] = ""
    by: Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)] = ""


class Control:
    """Passes on what operators ask of the runs in `paths`, to those who have the token."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self.token = secrets.token_urlsafe(24)

    def answer(self, said: Said, feed: Feed) -> tuple[int, str]:
        """The HTTP status, and words for the operator."""
        if refused := self._refused(said):
            return refused
        try:
            body = msgspec.json.decode(said.read(int(said.length)), type=_Body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return 400, f"not a request: {error}"
        request = Request("mark" if said.path == "/mark" else "stop", body.text, body.by)
        if request.problem:
            return 400, request.problem
        state = feed.head(body.run) if body.run < len(self._paths) else None
        if state is None:
            return 404, "nothing is known of this run"
        if problem := not_taken(state, feed.clock(body.run)) or ask(self._paths[body.run], request):
            return 409, problem
        return 202, "asked: the run takes it up within a second"

    def _refused(self, said: Said) -> tuple[int, str] | None:
        """Why a request is not even read; None for one that is."""
        host, origin = said.headers.get("Host") or "", said.headers.get("Origin") or ""
        several = any(len(said.headers.get_all(name) or ()) > 1 for name in ("Host", "Origin"))
        if several or not is_loopback(host) or origin != f"http://{host}":
            return 403, "only the page of this dashboard can ask"
        if said.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return 403, "only the page of this dashboard can ask"
        token = (said.headers.get(TOKEN_HEADER) or "").encode("utf-8", "replace")
        if not secrets.compare_digest(token, self.token.encode()):
            return 403, "the token is not that of this dashboard (open the link that it printed)"
        if said.path not in _ACTIONS:
            return 404, "there is /mark and /stop"
        if (said.headers.get("Content-Type") or "").split(";")[0].strip() != "application/json":
            return 415, "send JSON"
        if not (said.length.isascii() and said.length.isdigit() and len(said.length) <= _MOST_DIGITS):
            return 411, "say how long the request is"
        return (413, f"at most {MOST_BYTES} bytes") if int(said.length) > MOST_BYTES else None


def not_taken(state: State, clock: str) -> str:
    """Why a run takes no requests; empty for one that does."""
    if clock != "real":
        return "only a real run can be asked: a simulation is over before it could answer"
    return f"the run is over: {state.ended}" if state.ended else ""
