"""A small web page on the loopback interface that shows a run: one HTML file, and its states as server-sent events."""

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import msgspec

from soak.runner.console import remark
from soak.runner.loopback import HOST, LoopbackHandler, open_server
from soak.runner.watch.state import State
from soak.schemas.errors import SoakError, UsageError

PAGE = Path(__file__).with_name("dashboard.html")
_PATIENCE_S = 15.0


class Latest:
    """The newest state, for any number of readers."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._number = 0
        self._text = b""
        self.over = False

    def put(self, state: State | None) -> None:
        """Publish a state; None: it was the last."""
        with self._changed:
            if state is None:
                self.over = True
            else:
                self._text = msgspec.json.encode(state)
            self._number += 1
            self._changed.notify_all()

    def after(self, number: int) -> tuple[int, bytes]:
        """Wait for the state after that number; an empty text if there is none for a while."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > number or self.over, _PATIENCE_S)
            return (self._number, self._text) if self._number > number else (number, b"")


def make_server(latest: Latest, port: int) -> ThreadingHTTPServer:
    """A server on the loopback interface; port 0 chooses a free one. Raises UsageError when the port is taken."""

    class Handler(_Handler):
        newest = latest

    try:
        return open_server(port, Handler)
    except UsageError as error:
        raise UsageError(f"{error} (choose another --port)") from None


class _Handler(LoopbackHandler):
    newest: Latest

    def answer(self) -> None:
        if self.path == "/":
            self._answer(200, "text/html; charset=utf-8", PAGE.read_bytes())
        elif self.path == "/state":
            self._answer(200, "application/json", self.newest.after(-1)[1])
        elif self.path == "/events":
            self._stream()
        else:
            self._answer(404, "text/plain", b"there is /, /state and /events\n")

    def _answer(self, code: int, kind: str, content: bytes) -> None:
        self.reply(code, kind, content, Content_Security_Policy="default-src 'self' 'unsafe-inline'")

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


def serve(states: Iterator[State], port: int) -> None:
    """Serve the states until interrupted. Raises UsageError, and the errors of following the run."""
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

    remark(f"dashboard: http://{HOST}:{server.server_address[1]}/ (Ctrl-C stops the dashboard, not the run)")
    threading.Thread(target=follow, name="follow", daemon=True).start()
    try:
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        remark("dashboard: ended")
    finally:
        server.server_close()
    if failed:
        raise failed[0]
