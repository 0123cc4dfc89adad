"""A tiny task system: `broker PORT` keeps a list of lines, `worker NAME PORT` takes them, `forks` has a child that lives on."""

import os
import signal
import socket
import subprocess
import sys
import time


def broker(port: int) -> None:
    """`put X` adds a line, `take` answers with the oldest one (empty: none), `ping` with `pong`."""
    lines: list[str] = []
    with socket.create_server(("127.0.0.1", port)) as server:
        import selectors

        selector = selectors.DefaultSelector()
        selector.register(server, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is server:
                    selector.register(server.accept()[0], selectors.EVENT_READ)
                    continue
                line = key.fileobj
                assert isinstance(line, socket.socket)
                try:
                    word, _, rest = line.recv(4096).decode().strip().partition(" ")
                except OSError:
                    word = ""
                if not word:
                    selector.unregister(line)
                    line.close()
                    continue
                lines += [rest] if word == "put" else []
                answer = lines.pop(0) if word == "take" and lines else "pong" if word == "ping" else ""
                line.sendall(f"{answer}\n".encode())


def ask(port: int, text: str, timeout_s: float = 2.0) -> str:
    """The answer of the broker. Raises OSError."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as line:
        line.sendall(f"{text}\n".encode())
        answer = line.makefile().readline()
    if not answer:
        raise OSError("the broker has gone")
    return answer.strip()


def worker(name: str, port: int) -> None:
    """Writes `name text` for each line that it takes; one that is told to end does so at the next."""
    over: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: over.append(number))
    sys.stdout.write("ready\n")
    while not over:
        try:
            text = ask(port, "take")
        except OSError:
            text = ""
        if text:
            sys.stdout.write(f"{name} {text}\n")
        sys.stdout.flush()
        time.sleep(0.02)


def forks(words: list[str]) -> None:
    """A worker with a child in a session of its own, which is the one that works."""
    child = subprocess.Popen([sys.executable, __file__, "worker", *words], start_new_session=True)
    signal.signal(signal.SIGTERM, lambda number, _: child.send_signal(number))
    child.wait()


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "broker":
        broker(int(rest[0]))
    elif what == "forks":
        forks(rest)
    elif what == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.stdout.write(f"ready {os.getpid()}\n")
        sys.stdout.flush()
        time.sleep(600)
    else:
        worker(rest[0], int(rest[1]))
