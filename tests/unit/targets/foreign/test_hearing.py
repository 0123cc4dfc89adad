"""Clients are answered while a system is started: a worker may be ready only once it has been welcomed."""

import selectors
import socket
import sys
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
from commands import soak
from protocol_server import Client, Seen

from soak.runner.targets.queue.foreign.hearing import heard
from soak.runner.targets.queue.foreign.server import Server

WORKER = """
import json, os, socket
line = socket.socket(socket.AF_UNIX)
line.connect(os.environ["SOAK_ADDRESS"].removeprefix("unix:"))
hello = {"op": "hello", "version": 1, "role": "body", "token": os.environ["SOAK_TOKEN"]}
line.sendall(json.dumps(hello).encode() + b"\\n")
assert b"welcome" in line.recv(1000)
print("ready", flush=True)
line.recv(1)
"""
TARGET = """name: eager
workers: {command: "%s worker.py", count: 1, ready: {log: ready}}
submit: {command: "true {payload}"}
"""
SCENARIO = """
version: 1
name: eager
system: queue
duration: 1s
drain: 1s
workload: {arrivals: {rate: 1/s}, task: {duration: {distribution: constant, value: 100ms}}}
slos: [success_rate >= 0%]
"""


def test_a_client_is_welcomed_meanwhile(tmp_path: Path) -> None:
    with (
        selectors.DefaultSelector() as selector,
        closing(Server(selector, unix=tmp_path / "s", token="open sesame")) as server,
        heard(selector),
        Client(Seen(server)) as client,
    ):
        client.hello()


def test_what_a_callback_raises_is_raised() -> None:
    called = Event()

    def fail() -> None:
        called.set()
        raise ValueError("it")

    reader, writer = socket.socketpair()
    with selectors.DefaultSelector() as selector, reader, writer:
        selector.register(reader, selectors.EVENT_READ, fail)
        writer.send(b"x")
        with pytest.raises(ValueError, match="it"), heard(selector):
            assert called.wait(10)


def test_a_worker_that_is_ready_only_when_it_was_welcomed(tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text(WORKER)
    (tmp_path / "target.yaml").write_text(TARGET % sys.executable)
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    done = soak("run", tmp_path / "scenario.yaml", "--target", tmp_path / "target.yaml", "--out", tmp_path / "run")
    assert "midway" not in done.stderr
    assert (tmp_path / "run" / "report.html").exists()
