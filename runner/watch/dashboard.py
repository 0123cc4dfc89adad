"""Web pages on the loopback interface that show runs: one HTML file, and what is new of the runs as server-sent events."""

import threading
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path

import msgspec

from soak.runner.console import remark
from soak.runner.loopback import HOST, LoopbackHandler, open_server
from soak.runner.watch.control import Control, Said
from soak.runner.watch.feed import Feed
from soak.runner.watch.follow import follow_run
from soak.runner.watch.page import page
from soak.schemas.errors import SoakError, UsageError

_PATIENCE_S = 15.0
_RETRY_MS = 1000


def make_server(feed: Feed, paths: list[Path], port: int, operated: Control | None = None) -> ThreadingHTTPServer:
    """A server on the loopback interface; port 0 chooses a free one. Raises UsageError when the port is taken.

    operated: what operators may ask; None: nothing.
    """

    class Handler(_Handler):
        shown, content, control = feed, page(paths), operated

    try:
        return open_server(port, Handler)
    except UsageError as error:
        raise UsageError(f"{error} (choose another --port)") from None


class _Handler(LoopbackHandler):
    shown: Feed
    content: bytes
    control: Control | None = None

    def post(self) -> None:
        """Pass on what an operator asks, where that is allowed."""
        length = self.headers.get("Content-Length") or ""
        said = Said(self.path, self.headers, length, self.rfile.read)
        status, words = (405, "this dashboard is read-only (start it with --control)")
        if self.control:
            status, words = self.control.answer(said, self.shown)
        self._answer(status, "text/plain; charset=utf-8", f"{words}\n".encode())

    def answer(self) -> None:
        """Answer a GET request."""
        if self.path == "/":
            self._answer(200, "text/html; charset=utf-8", self.content)
        elif self.path == "/state":
            self._answer(200, "application/json", msgspec.json.encode(self.shown.head(0)))
        elif self.path == "/events":
            self._stream()
        else:
            self._answer(404, "text/plain", b"there is /, /state and /events\n")

    def _answer(self, code: int, kind: str, content: bytes) -> None:
        policy = "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
        self.reply(code, kind, content, Content_Security_Policy=policy, X_Content_Type_Options="nosniff")

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            self.wfile.write(b"retry: %d\n\n" % _RETRY_MS)
            for text in self.shown.messages(self.headers.get("Last-Event-ID") or "", _PATIENCE_S):
                self.wfile.write(text or b": still here\n\n")
                self.wfile.flush()
            self.wfile.write(b"event: over\ndata: {}\n\n")
        except OSError:
            return


def serve(paths: list[Path], replay: float | None, port: int, *, control: bool = False) -> None:
    """Show runs until interrupted. Raises UsageError, and the errors of following a run that shows nothing yet.

    control: the link that is printed can mark moments of the runs, and stop them.
    """
    feed = Feed(paths)
    operated = Control(paths) if control else None
    server = make_server(feed, paths, port, operated)
    failed: list[SoakError] = []

    def give_up(error: SoakError) -> None:
        failed.append(error)
        server.shutdown()

    link = f"http://{HOST}:{server.server_address[1]}/{f'#{operated.token}' if operated else ''}"
    remark(f"dashboard: {link} (Ctrl-C stops the dashboard, not the run)")
    for number, path in enumerate(paths):
        work = (feed, number, path, replay, give_up)
        threading.Thread(target=keep_following, args=work, name=f"follow {number}", daemon=True).start()
    try:
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        remark("dashboard: ended")
    finally:
        server.server_close()
    if failed:
        raise failed[0]


def keep_following(
    feed: Feed, number: int, path: Path, replay: float | None, give_up: Callable[[SoakError], None]
) -> None:
    """Publish a run until it is over. `give_up` is called for one of which nothing could be shown."""
    try:
        for watched, state in follow_run(path, replay, in_steps=True):
            feed.put(number, watched, state)
    except SoakError as error:
        if feed.head(number) is None:
            give_up(error)
        feed.fail(number, str(error))
    finally:
        feed.end()
