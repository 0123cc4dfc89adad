"""docs/protocol.md and its schema say what is spoken: transcripts of real sessions, each message by its schema."""

import json
import os
import re
import selectors
import sys
import time
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from protocol_server import Client, serving

from soak.runner.targets.queue.foreign import messages, spoken_child
from soak.runner.targets.queue.foreign.server import Attempt, Server
from soak.runner.targets.queue.foreign.spoken import Callbacks, SpokenProcess
from soak.runner.targets.queue.foreign.spoken_child import Start
from soak.runner.targets.queue.foreign.spoken_system import SpokenSystem
from soak.schemas.files import DIRECTORY
from soak.schemas.validator import Validator

ROOT = Path(__file__).resolve().parents[4]
PAGE = ROOT / "docs" / "protocol.md"
SCHEMA: dict[str, Any] = json.loads((DIRECTORY / "protocol.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Validator(SCHEMA)
INDENT = 8

SUBMITTER = """
from soak import kit
taken = set()
def submit(key, payload):
    if key == "18":
        raise kit.Busy("its queue is full")
    if key in taken:
        return False
    taken.add(key)
kit.serve(submit=submit, census=lambda: {"pending": len(taken)})
"""


def written(session: list[tuple[bool, str]]) -> str:
    """A session as a block of the page; `True`: soak says it."""
    lines = [" " * INDENT * says + json.dumps(json.loads(line)) for says, line in session]
    return "```json\n" + "\n".join(lines) + "\n```"


def body_session(directory: Path) -> list[tuple[bool, str]]:
    """A body that fails, then succeeds while it does work of its own; and one of another version."""
    session: list[tuple[bool, str]] = []

    def plan(server: Server, attempt: Attempt) -> None:
        server.work(attempt, 2.5, 0)
        end = ("transient", "network") if attempt.number == 34 and attempt.claimed == 1 else ("ok", "")
        server.finish(attempt, end=end[0], error=end[1])

    with serving(directory, plan=plan) as seen:

        def say(client: Client, **message: object) -> None:
            session.append((False, json.dumps(message)))
            client.say(**message)

        def hear(client: Client, times: int = 1) -> None:
            session.extend((True, json.dumps(client.hear())) for _ in range(times))

        with Client(seen) as client:
            say(client, op="hello", version=1, role="body", token="open sesame", pid=4711, host="box", worker="w0")
            hear(client)
            say(client, op="started", payload='{"number": 34}', attempt=1)
            hear(client, 2)
            say(client, op="ended")
            say(client, op="started", id="a", payload={"number": 34}, attempt=2)
            hear(client, 2)
            say(client, op="started", id="b", payload='{"number": 36}', own=True)
            say(client, op="ended", id="a")
            say(client, op="ended", id="b", end="permanent", error="no_such_customer")
            seen.wait_for(
                *("started 34", "ended 34 transient network", "started 34", "started 36", "ended 34 ok"),
                "ended 36 permanent no_such_customer",
            )
        with Client(seen) as client:
            say(client, op="hello", version=0, role="body", token="open sesame")
            hear(client)
    return session


def submit_session(directory: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, str]]:
    """A process that submits a task, refuses its duplicate, is busy, and gives a census."""
    session: list[tuple[bool, str]] = []
    answers: list[int] = []
    said = spoken_child.SpokenChild.send

    def send(self: spoken_child.SpokenChild, key: object, line: bytes) -> None:
        session.append((True, line.decode()))
        said(self, key, line)

    monkeypatch.setattr(spoken_child.SpokenChild, "send", send)
    (directory / "program.py").write_text(SUBMITTER)
    with selectors.DefaultSelector() as selector:
        callbacks = Callbacks(
            lambda n, answer, why: answers.append(n),
            lambda n, counts, why: answers.append(n),
            pytest.fail,
            pytest.fail,
        )
        start = Start([sys.executable, "program.py"], os.environ, directory, directory / "submit.log")
        process = SpokenProcess("submit", start, selector, lambda *_: None, callbacks)
        heard = process._hear
        monkeypatch.setattr(process, "_hear", lambda line: (session.append((False, line.decode())), heard(line)))
        process.start()
        try:
            process.wait_until_ready(60)
            asks: list[Callable[[], None]] = [
                lambda: process.submit(1, "17", '{"number": 34}'),
                lambda: process.submit(2, "17", '{"number": 35}'),
                lambda: process.submit(3, "18", '{"number": 36}'),
                lambda: process.census(4),
            ]
            for number, ask in enumerate(asks, 1):
                ask()
                give_up = time.monotonic() + 30
                while len(answers) < number:
                    assert time.monotonic() < give_up
                    for key, _ in selector.select(0.1):
                        key.data()
        finally:
            process.close()
    return session


SYSTEM = """
from soak import kit
log = []
def submit(key, payload):
    log.append({"type": "enqueued", "at": 1790000000.25, "key": key, "task": 7})
    log.append({"type": "dispatched", "at": 1790000000.5, "key": key, "task": 7, "attempt": 1, "worker": "w0"})
    return 7
def changes():
    found = log[:]
    log.clear()
    return found
kit.serve(submit=submit, changes=changes, census=lambda: {"in_progress": 1}, processes=lambda: {"w0": 4711})
"""


def system_session(directory: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, str]]:
    """A whole system that is asked everything once."""
    session: list[tuple[bool, str]] = []
    said, heard = spoken_child.SpokenChild.send, SpokenSystem._hear

    def send(self: spoken_child.SpokenChild, key: object, line: bytes) -> None:
        session.append((True, line.decode()))
        said(self, key, line)

    def hear(self: SpokenSystem, line: bytes) -> None:
        session.append((False, line.decode()))
        heard(self, line)

    monkeypatch.setattr(spoken_child.SpokenChild, "send", send)
    monkeypatch.setattr(SpokenSystem, "_hear", hear)
    (directory / "program.py").write_text(SYSTEM)
    start = Start([sys.executable, "program.py"], os.environ, directory, directory / "submit.log")
    settings: Any = None
    system = SpokenSystem(settings, lambda _: start)
    try:
        system.enqueue("17", '{"number": 34}')
        system.changes()
        system.snapshot()
        system.processes()
        system.stop()
    finally:
        system.close()
    return session


@pytest.fixture(params=["body", "submit", "system"])
def session(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, list[tuple[bool, str]]]:
    name: str = request.param
    if name == "body":
        return name, body_session(tmp_path)
    return name, (submit_session if name == "submit" else system_session)(tmp_path, monkeypatch)


def test_the_page_shows_what_was_said_and_each_message_is_as_the_schema_says(
    session: tuple[str, list[tuple[bool, str]]], request: pytest.FixtureRequest
) -> None:
    name, lines = session
    for _, line in lines:
        assert [error.message for error in VALIDATOR.iter_errors(json.loads(line))] == [], line
    page, block = (
        PAGE.read_text(encoding="utf-8"),
        re.compile(rf"(<!-- transcript: {name} -->\n).*?(<!-- end -->)", re.DOTALL),
    )
    assert block.search(page)
    shown = block.sub(lambda found: f"{found[1]}{written(lines)}\n{found[2]}", page)
    if request.config.getoption("--update-expected"):
        PAGE.write_text(shown, encoding="utf-8")
    assert page == shown


@pytest.mark.parametrize(
    "line",
    [
        '{"op": "hallo"}',
        '{"op": "hello", "version": "1", "token": ""}',
        '{"op": "started"}',
        '{"op": "started", "payload": {"number": -1}}',
        '{"op": "started", "payload": {"kind": "a"}}',
        '{"op": "started", "payload": "{}", "attempt": 0}',
        '{"op": "ended", "end": "perhaps"}',
        '{"op": "submitted", "n": 1, "answer": "yes"}',
        '{"op": "submitted", "answer": "accepted"}',
        '{"op": "census", "n": 1, "counts": {"pending": -1}}',
        '{"op": "ready"}',
    ],
)
def test_what_is_no_message_is_refused_by_schema_and_code(line: str) -> None:
    assert list(VALIDATOR.iter_errors(json.loads(line)))
    for read in (messages.of_body, messages.of_submitter):
        with pytest.raises(messages.WrongMessageError):
            read(line.encode())


def test_the_schema_has_the_fields_of_the_code() -> None:
    for struct in (*typing.get_args(messages.FromBody), *typing.get_args(messages.FromSubmitter)):
        info = msgspec.inspect.type_info(struct)
        assert isinstance(info, msgspec.inspect.StructType)
        definition = SCHEMA["$defs"].get(f"{info.tag}_answer", SCHEMA["$defs"][str(info.tag)])
        assert set(definition["properties"]) == {"op"} | {field.encode_name for field in info.fields}
        # A client must say its token; that the code can do without gives a better error.
        required = {field.encode_name for field in info.fields if field.required} | (
            {"token"} if struct is messages.Hello else set()
        )
        assert set(definition["required"]) == {"op", *required}


def test_every_message_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for definition in SCHEMA["$defs"].values():
        op = definition["properties"].get("op", {}).get("const")
        assert op is None or f"| `{op}` |" in page
        for name in definition["properties"]:
            assert f"`{name}`" in page or f"{{{name}}}" in page or name in {"op", "role", "number", "kind"}
