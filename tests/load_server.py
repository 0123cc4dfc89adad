"""A small HTTP server for tests of load: it answers as it is told, and remembers what it was asked."""

import gzip
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from soak.runner.load.order import Order, make_order
from soak.schemas.language.load import load
from soak.schemas.systems.gateway.settings import gateway_of
from soak.simulation.plan import Plan


class Asked:
    """What came: how often each path, and connections."""

    def __init__(self) -> None:
        self.paths: Counter[str] = Counter()
        self.connections = 0
        self.headers: list[dict[str, str]] = []
        self.stalled = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: ClassVar[Asked]

    def setup(self) -> None:
        super().setup()
        self.asked.connections += 1

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """Answer by the path."""
        asked, path = self.asked, self.path.partition("?")[0]
        asked.paths[self.path] += 1
        asked.headers.append(dict(self.headers.items()))
        if path == "/stalls" and not asked.stalled.is_set():
            asked.stalled.wait(10)
        if path.startswith("/after/"):
            time.sleep(float(path.rpartition("/")[2]))
        if path == "/breaks":
            self.close_connection = True
            return
        if path in {"/endless", "/head"}:
            self._endless(
                b"x" * 65_536 if path == "/endless" else b"X-More: 1\r\n" * 6_554, ends_head=path == "/endless"
            )
            return
        if path == "/cut":
            self._send_cut()
            return
        self._answer(int(path.rpartition("/")[2]) if path.startswith("/status/") else 200)

    do_POST = do_GET  # noqa: N815

    def _answer(self, status: int) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        body = b'{"fine": true}'
        self.send_response(status)
        if status in {301, 302}:
            self.send_header("Location", "http://elsewhere.example/")
        if self.path == "/cookie":
            self.send_header("Set-Cookie", f"visit={len(self.asked.headers)}; Path=/")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _endless(self, piece: bytes, *, ends_head: bool) -> None:
        self.send_response(200)
        self.end_headers() if ends_head else self.flush_headers()
        try:
            while True:
                self.wfile.write(piece)
        except OSError:
            self.close_connection = True

    def _send_cut(self) -> None:
        """Half of a compressed body, as if it were all."""
        body = gzip.compress(bytes(range(256)))[:100]
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 200

    def handle_error(self, *_: Any) -> None:
        """A client that went away is what some tests want."""


@contextmanager
def serving() -> Iterator[tuple[str, Asked]]:
    """A server on a free port: its URL, and what it is asked."""
    asked = Asked()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        asked.stalled.set()
        server.shutdown()
        server.server_close()
        thread.join()


def plan_of(directory: Path, text: str) -> Plan:
    """The plan of a scenario of a gateway; `text`: what is not said of all."""
    path = directory / "scenario.yaml"
    path.write_text(f"version: 1\nname: told\nsystem: gateway\nseed: 5\nslos: [success_rate >= 1%]\n{text}")
    return Plan(load(path).scenario)


def order_of(plan: Plan, url: str, speed: float = 1.0, **more: Any) -> Order:
    """The order to make its load against a service."""
    kinds = [kind.name for kind in plan.scenario.workload.kinds] or [""]
    exchanges = dict(zip(kinds, gateway_of(plan.scenario).exchanges, strict=True))
    return make_order(plan, exchanges, url=url, speed=speed, **more)
