"""Tiny HTTP services for tests, each on a free port of the loopback: those that misbehave among them."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from servers import need

Reply = Callable[["Handler"], None]
PIECE = b"x" * 65_536


class Handler(BaseHTTPRequestHandler):
    """Answers every request by the reply of its service."""

    protocol_version = "HTTP/1.1"
    reply: Reply
    asked: list[str]
    stopped: threading.Event

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """Any request."""
        self.content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append(f"{self.command} {self.path}")
        type(self).reply(self)

    do_POST = do_GET  # noqa: N815

    def send(self, status: int = 200, body: bytes = b"ok", **headers: str) -> None:
        """A whole answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def says_yes(handler: Handler) -> None:
    handler.send()


def endless(handler: Handler) -> None:
    """A body that never ends."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    try:
        while not handler.stopped.is_set():
            handler.wfile.write(PIECE)
    except OSError:
        return


def huge(handler: Handler) -> None:
    """A body that would be a terabyte long."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(10**12))
    handler.end_headers()
    handler.close_connection = True


def trickling(handler: Handler) -> None:
    """A body of which a byte comes now and then."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    try:
        while not handler.stopped.wait(0.05):
            handler.wfile.write(b"x")
            handler.wfile.flush()
    except OSError:
        return


def silent(handler: Handler) -> None:
    """No answer as long as anybody waits."""
    handler.stopped.wait(30)
    handler.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100

    def handle_error(self, *_: Any) -> None:
        """A client that went away is what some tests want."""


@contextmanager
def service(reply: Reply, tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[str]]]:
    """A service: its URL, and what it is asked."""
    asked: list[str] = []
    stopped = threading.Event()
    handler = type("Handler_", (Handler,), {"reply": staticmethod(reply), "asked": asked, "stopped": stopped})
    server = _Server(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}", asked
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def nobody() -> Iterator[str]:
    """A URL that nothing listens at: the port is taken, and refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def own_certificate(folder: Path) -> ssl.SSLContext:
    """TLS with a certificate that nobody trusts."""
    need("openssl")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    words = [
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command = ["openssl", "req", *words, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
