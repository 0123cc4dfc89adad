"""HTTP pages on the loopback interface, reachable from this machine only."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from soak.schemas.errors import UsageError, reason

HOST = "127.0.0.1"
_NAMES = {HOST, "localhost"}
_IDLE_S = 30.0


class LoopbackHandler(BaseHTTPRequestHandler):
    """Answers GET requests whose Host is this machine; `answer` makes the response."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S

    def do_GET(self) -> None:
        """Answer, if the Host header names this machine."""
        # DNS rebinding: a page from elsewhere must not read it through a name that resolves to this machine.
        if is_loopback(self.headers.get("Host") or ""):
            self.answer()
        else:
            self.reply(403, "text/plain", b"this page is for this machine alone\n")

    def do_POST(self) -> None:
        """Refuse, unless `post` does otherwise."""
        # What is not read of the request must not be taken for the next one.
        self.close_connection = True
        self.post()

    def answer(self) -> None:
        """Answer a request."""
        raise NotImplementedError

    def post(self) -> None:
        """Answer a POST request."""
        self.reply(405, "text/plain", b"this page is only read\n")

    def reply(self, code: int, kind: str, content: bytes, **headers: str) -> None:
        """Send a whole answer."""
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Do not log requests."""


def is_loopback(host: str) -> bool:
    """Whether a Host header names this machine, with a port or without."""
    name, colon, port = host.partition(":")
    return name.lower() in _NAMES and (not colon or (port.isascii() and port.isdigit()))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect midway."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def open_server(port: int, handler: type[LoopbackHandler]) -> ThreadingHTTPServer:
    """A server; port 0 chooses a free one. Raises UsageError when the port is taken."""
    try:
        return _Server((HOST, port), handler)
    except OSError as error:
        raise UsageError(f"port {port}: {reason(error)}") from None
