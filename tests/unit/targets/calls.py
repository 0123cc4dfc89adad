"""Scenarios of the system `calls` for tests, dependencies that are started for one test, and calls to them byte by byte."""

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from servers import until

from soak.runner.targets.calls.dependencies import Program
from soak.schemas.language.load import Loaded, load
from soak.schemas.systems.calls.settings import calls_of
from soak.simulation.plan import Plan
from soak.systems.calls.fate import HEADER, Fate

BASE = """
version: 1
name: small
system: calls
drain: 1m
seed: 3
workload: {{tasks: {tasks}, arrivals: {{process: constant, rate: {rate}}}{task}}}
calls:
  dependencies:
{dependencies}
  policy: [{policy}]
faults: [{faults}]
slos: [{slos}]
telemetry: {{sample_interval: 1s, max_lag: 30s}}
"""
PRIMARY = "{name: primary, latency: {distribution: constant, value: 50ms}}"
PATIENCE_S = 20.0


def calls_scenario(
    directory: Path,
    *,
    tasks: int = 10,
    rate: str = "10/s",
    task: str = "",
    dependencies: str = PRIMARY,
    policy: str = "",
    faults: str = "",
    slos: str = "success_rate >= 0%",
) -> Loaded:
    """A scenario from its parts."""
    lines = "\n".join(f"- {each}" for each in dedent(dependencies).strip().splitlines())
    path = directory / "small.yaml"
    path.write_text(
        BASE.format(
            tasks=tasks,
            rate=rate,
            task=task and f", task: {task}",
            dependencies=indent(lines, "    "),
            policy=policy,
            faults=faults,
            slos=slos,
        )
    )
    return load(path)


@contextmanager
def dependency(directory: Path, text: str = PRIMARY, faults: str = "", *, bad: bool = False) -> Iterator[Program]:
    """A dependency that serves, in real time; `bad`: the bad release of it."""
    loaded = calls_scenario(directory, dependencies=text, faults=faults, policy="{timeout: 10s}")
    program = Program(calls_of(loaded.scenario).primary, Plan(loaded.scenario), 1.0, directory)
    try:
        program.start()
        if bad:
            name = program.launch(bad=True)
            until(lambda: program.is_ready(name))
            program.retire(program.switch_to(name))
        yield program
    finally:
        program.close()


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    error: str


def ask(program: Program, fate: Fate, patience_s: float = PATIENCE_S) -> Answer:
    """Make a call. Raises OSError as the kernel does."""
    with send(program, fate, patience_s) as to:
        return answer(to)


def send(program: Program, fate: Fate, patience_s: float = PATIENCE_S) -> socket.socket:
    """Send a call, and wait for nothing."""
    to = socket.create_connection(("127.0.0.1", int(program.url.rpartition(":")[2])), patience_s)
    to.sendall(f"GET /call HTTP/1.1\r\nHost: here\r\n{HEADER}: {json.dumps(asdict(fate))}\r\n\r\n".encode())
    return to


def answer(to: socket.socket) -> Answer:
    """The answer to a call that was sent."""
    text = b""
    with to:
        while piece := to.recv(4096):
            text += piece
    head, _, body = text.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Answer(int(first.split()[1]), headers, json.loads(body).get("error", ""))


def hang_up(to: socket.socket) -> None:
    """Go away without a word."""
    to.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    to.close()


def told(program: Program, fate: Fate) -> list[dict[str, Any]]:
    """What the dependency says it did with a call."""
    lines = [json.loads(line) for line in program.account.read_text().splitlines()]
    return [line for line in lines if line.get("task") == fate.task]


def whats(program: Program, fate: Fate) -> list[str]:
    """The same in a word each, in order."""
    return [line["what"] for line in told(program, fate)]
