"""Waits in every way that Python knows, all at once, each for as many seconds as the first argument says.

A program of its own, run under a fake clock: of each way it writes its name when it begins, and when it ends the seconds that it
took by its own clock. The reader has a clock that is not fake.
"""

import asyncio
import datetime
import os
import queue
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

_OUT = threading.Lock()


def say(name: str, took: float | str = "") -> None:
    """A line, at once: without seconds, it begins."""
    with _OUT:
        sys.stdout.write(f"{name}\t{took}\n")
        sys.stdout.flush()


def ways(seconds: float) -> dict[str, Callable[[], Any]]:
    """The ways, by name."""
    return {
        "time.sleep": lambda: time.sleep(seconds),
        "lock": lambda: _held().acquire(timeout=seconds),
        "condition": lambda: _condition(seconds),
        "event": lambda: threading.Event().wait(seconds),
        "queue.get": lambda: _queue(seconds),
        "thread join": lambda: _join(seconds),
        "select": lambda: select.select([], [], [], seconds),
        "poll": lambda: select.poll().poll(seconds * 1000),
        "epoll": lambda: select.epoll().poll(seconds),
        "selectors": lambda: _selector(seconds),
        "socket timeout": lambda: _socket(seconds),
        "subprocess timeout": lambda: _subprocess(seconds),
        "sleep(1)": lambda: subprocess.run(["sleep", f"{seconds:g}"], check=True),
        "asyncio.sleep": lambda: asyncio.run(asyncio.sleep(seconds)),
        "sigtimedwait": lambda: signal.sigtimedwait({signal.SIGUSR1}, seconds),
        "datetime": lambda: _until(lambda: datetime.datetime.now().timestamp(), seconds),
        "time.monotonic": lambda: _until(time.monotonic, seconds),
    }


def _held() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


def _condition(seconds: float) -> None:
    with (condition := threading.Condition()):
        condition.wait(seconds)


def _join(seconds: float) -> None:
    thread = threading.Thread(target=time.sleep, args=(seconds * 1.5,))
    thread.start()
    thread.join(seconds)


def _queue(seconds: float) -> None:
    try:
        queue.Queue[int]().get(timeout=seconds)
    except queue.Empty:
        pass


def _selector(seconds: float) -> None:
    with selectors.DefaultSelector() as selector, socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        selector.register(one, selectors.EVENT_READ)
        selector.select(seconds)


def _socket(seconds: float) -> None:
    one, _other = socket.socketpair()
    one.settimeout(seconds)
    try:
        one.recv(1)
    except TimeoutError:
        pass


def _subprocess(seconds: float) -> None:
    try:
        subprocess.run(["sleep", f"{seconds * 100:g}"], timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        pass


def _until(clock: Callable[[], float], seconds: float) -> None:
    end = clock() + seconds
    while clock() < end:
        time.sleep(seconds / 100)


def main() -> None:
    """All ways in threads of their own, an alarm in this one."""
    seconds = float(sys.argv[1])

    def wait(name: str, way: Callable[[], Any]) -> None:
        say(name)
        began = time.monotonic()
        way()
        say(name, time.monotonic() - began)

    threads = [threading.Thread(target=wait, args=each) for each in ways(seconds).items()]
    rung = os.pipe()
    os.set_blocking(rung[1], False)
    signal.set_wakeup_fd(rung[1], warn_on_full_buffer=False)
    signal.signal(signal.SIGALRM, lambda *_: None)
    for each in threads:
        each.start()
    say("alarm")
    began = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, seconds)
    os.read(rung[0], 1)
    say("alarm", time.monotonic() - began)
    for each in threads:
        each.join()


if __name__ == "__main__":
    main()
