"""A tiny real process that misbehaves as it is told: `python tiny.py WHAT [ARGUMENT]...`."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


def sleep(*_: str) -> None:
    """Live on, with a word at the beginning."""
    os.write(1, b"begun\n")
    time.sleep(600)


def end(code: str = "0", *_: str) -> None:
    """End at once."""
    os.write(2, b"cannot go on\n")
    os._exit(int(code))


def deaf(*_: str) -> None:
    """Ignore SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleep()


def polite(path: str, *_: str) -> None:
    """Write a line when asked to stop, a little later."""

    def stop(*_: object) -> None:
        time.sleep(0.2)
        with Path(path).open("a") as file:
            file.write(f"{os.getpid()}\n")
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    sleep()


def daemon(pid_file: str, *_: str) -> None:
    """Fork away: the first process ends, what it left has a session and a parent of its own."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    Path(pid_file).write_text(f"{os.getpid()}\n")
    time.sleep(600)


def family(*_: str) -> None:
    """Start a child that has a child, one of them in a session of its own."""
    words = [sys.executable, __file__]
    subprocess.Popen([*words, "child"])
    sleep()


def child(*_: str) -> None:
    """Start one that goes away."""
    subprocess.Popen([sys.executable, __file__, "sleep"], start_new_session=True)
    time.sleep(600)


def leave(*_: str) -> None:
    """End, and leave a child in the same session."""
    subprocess.Popen([sys.executable, __file__, "sleep"])
    os._exit(3)


def http(port: str, status: str = "200", delay_s: str = "0", *_: str) -> None:
    """Answer requests."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(float(delay_s))
            body = b'{"ok": true, "queue": {"dropped": 7, "sizes": [1, 2.5]}, "path": "%b"}' % self.path.encode()
            if self.path == "/metrics":
                body = Path(__file__).with_name("metrics.txt").read_bytes()
            self.send_response(int(status))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    HTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


def mute(port: str, *_: str) -> None:
    """Accept connections and say nothing; what drips is a byte now and then."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", int(port)))
    server.listen()
    held = []
    while True:
        connection, _ = server.accept()
        held.append(connection)
        if sys.argv[3:] == ["drip"]:
            with suppress(OSError):
                while True:
                    connection.send(b"H")
                    time.sleep(0.05)


def notify(delay_s: str = "0", beats: str = "1000", *_: str) -> None:
    """Report by sd_notify."""
    address = os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1)
    to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    time.sleep(float(delay_s))
    to.sendto(b"STATUS=loaded\nREADY=1", address)
    for _ in range(int(beats)):
        to.sendto(b"WATCHDOG=1", address)
        time.sleep(0.05)
    time.sleep(600)


def write(path: str, *_: str) -> None:
    """Write to a file again and again."""
    while True:
        Path(path).write_text("x")
        time.sleep(0.02)


def halves(path: str, *_: str) -> None:
    """Write half a line, wait, and the other half."""
    with Path(path).open("a", buffering=1) as file:
        file.write("dropped=3\ndropp")
        file.flush()
    time.sleep(600)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
