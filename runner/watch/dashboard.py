"""A small web page on the loopback that shows a run: one HTML file, and its states as server-sent events."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from runner.console import remark
from runner.watch.state import State
from schemas.errors import SoakError, UsageError

HOST = "127.0.0.1"
PAGE = Path(__file__).with_name("dashboard.html")
_PATIENCE_S = 15.0
_NAMES = {HOST, "localhost"}


class Latest:
    """The newest state, for as many readers as there are."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._number = 0
        self._text = b""
        self.over = False

    def put(self, state: State | None) -> None:
        """A new state; None says that there will be no other."""
        with self._changed:
            if state is None:
                self.over = True
            else:
                self._text = msgspec.json.encode(state)
            self._number += 1
            self._changed.notify_all()

    def after(self, number: int) -> tuple[int, bytes]:
        """The state that came after that number, once there is one; nothing new after a while is an empty text."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > number or self.over, _PATIENCE_S)
            return (self._number, self._text) if self._number > number else (number, b"")


def make_server(latest: Latest, port: int) -> ThreadingHTTPServer:
    """A server on the loopback; port 0 chooses a free one. Raises UsageError when the port is taken."""

    class Handler(_Handler):
        newest = latest

    ThreadingHTTPServer.daemon_threads = True
    try:
        return ThreadingHTTPServer((HOST, port), Handler)
    except OSError as error:
        raise UsageError(f"port {port}: {error.strerror or error} (choose another --port)") from None


class _Handler(BaseHTTPRequestHandler):
    newest: Latest
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        # A page elsewhere must not read it through a name that leads here.
        if (self.headers.get("Host") or "").rsplit(":", 1)[0] not in _NAMES:
            self._answer(403, "text/plain", b"this page is for this machine alone\n")
        elif self.path == "/":
            self._answer(200, "text/html; charset=utf-8", PAGE.read_bytes())
        elif self.path == "/state":
            self._answer(200, "application/json", self.newest.after(-1)[1])
        elif self.path == "/events":
            self._stream()
        else:
            self._answer(404, "text/plain", b"there is /, /state and /events\n")

    def _answer(self, code: int, kind: str, content: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "default-src 'self' 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(content)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        number, text = self.newest.after(-1)
        try:
            while True:
                self.wfile.write(b"data: " + text + b"\n\n" if text else b": still here\n\n")
                self.wfile.flush()
                if self.newest.over and number == self.newest.after(number)[0]:
                    self.wfile.write(b"event: over\ndata: {}\n\n")
                    return
                number, text = self.newest.after(number)
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of requests."""


def serve(states: Iterator[State], port: int) -> None:
    """Show the states until someone interrupts. Raises UsageError, or what following the run raises."""
    latest = Latest()
    server = make_server(latest, port)
    failed: list[SoakError] = []

    def follow() -> None:
        try:
            for state in states:
                latest.put(state)
        except SoakError as error:
            failed.append(error)
            server.shutdown()
        finally:
            latest.put(None)

    remark(f"dashboard: http://{HOST}:{server.server_address[1]}/ (Ctrl-C ends it; the run goes on)")
    threading.Thread(target=follow, name="follow", daemon=True).start()
    try:
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        remark("dashboard: ended")
    finally:
        server.server_close()
    if failed:
        raise failed[0]
