"""The server of the protocol over real sockets: what bodies report, and what clients do wrong."""

import errno
import os
import selectors
import socket
import time
from contextlib import ExitStack, closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from protocol_server import Client, Seen, at_once, nothing, serving

from soak.runner.targets.queue.foreign.server import Attempt, Server
from soak.schemas.errors import UsageError


def mistake(seen: Seen, number: int = 0) -> str:
    """A mistake, without the name of the client."""
    return seen.mistakes[number].replace(f"process {os.getpid()}", "P")


def test_a_body_reports_and_is_told(tmp_path: Path) -> None:
    before = time.time()
    with serving(tmp_path) as seen, Client(seen) as client:
        client.hello(pid=4711, host="box", worker="w3")
        client.start(7, id="x", attempt=2)
        assert client.hear() == {"op": "work", "id": "x", "seconds": 0.25, "memory_bytes": 0}
        assert client.hear() == {"op": "finish", "id": "x", "end": "transient", "error": "network", "tokens": 7}
        client.say(op="ended", id="x")
        seen.wait_for("started 7", "ended 7 transient network")
        attempt = seen.attempts[0]
        assert (attempt.number, attempt.claimed, attempt.attempt) == (7, 2, 0)
        assert (attempt.pid, attempt.host, attempt.worker, attempt.own) == (4711, "box", "w3", False)
        assert before <= attempt.started_at <= seen.times[0] <= time.time()
        assert attempt.over
        assert seen.mistakes == []


def test_what_a_body_does_not_say_is_known_of_a_local_one(tmp_path: Path) -> None:
    with serving(tmp_path) as seen, Client(seen) as client:
        client.hello()
        client.start(0)
        client.hear()
        assert (seen.attempts[0].pid, seen.attempts[0].host) == (os.getpid(), socket.gethostname())


def test_several_attempts_on_one_line_are_told_apart(tmp_path: Path) -> None:
    with serving(tmp_path, plan=nothing) as seen, Client(seen) as client:
        client.hello()
        for number in (0, 1, 2):
            client.start(number, id=str(number), worker=f"w{number}")
        seen.wait_for("started 0", "started 1", "started 2")
        for number in (2, 0):
            at_once(seen.server, seen.attempts[number])
        assert [client.hear()["id"] for _ in range(4)] == ["2", "2", "0", "0"]
        client.say(op="ended", id="0")
        client.close()
        seen.wait_for("started 0", "started 1", "started 2", "ended 0 ok", "lost 1", "lost 2")
        assert [each.worker for each in seen.attempts] == ["w0", "w1", "w2"]
        assert seen.mistakes == []


def test_a_payload_may_be_sent_as_the_object_that_it_is(tmp_path: Path) -> None:
    with serving(tmp_path) as seen, Client(seen) as client:
        client.hello()
        client.say(op="started", payload={"number": 3, "kind": "a"}, of_a_later_version=[1])
        assert client.hear()["op"] == "work"
        assert seen.events == ["started 3"]


def test_work_of_ones_own(tmp_path: Path) -> None:
    with serving(tmp_path) as seen, Client(seen) as client:
        client.hello()
        client.start(4, own=True)
        client.say(op="ended", end="permanent", error="no_money")
        client.start(5, own=True)
        client.say(op="ended")
        seen.wait_for("started 4", "ended 4 permanent no_money", "started 5", "ended 5 ok")
        assert [each.own for each in seen.attempts] == [True, True]


def test_an_attempt_that_the_ledger_has_closed_is_reported_no_more(tmp_path: Path) -> None:
    with serving(tmp_path) as seen, Client(seen) as client, Client(seen) as other:
        for each in (client, other):
            each.hello()
        client.start(3)
        seen.wait_for("started 3")
        other.start(6)
        seen.wait_for("started 3", "started 6")
        for attempt in seen.attempts:
            attempt.over = True
        client.say(op="ended")
        other.close()
        client.start(9)
        seen.wait_for("started 3", "started 6", "started 9")


def test_over_tcp(tmp_path: Path) -> None:
    with serving(tmp_path, tcp=True) as seen:
        environment = seen.server.environment
        assert environment["SOAK_ADDRESS"] == f"unix:{tmp_path / 's'}"
        assert environment["SOAK_TOKEN"] == "open sesame"
        _, host, port = environment["SOAK_TCP"].split(":")
        with socket.create_connection((host, int(port)), 10) as line, line.makefile("rb") as reader:
            line.sendall(
                b'{"op": "hello", "version": 1, "token": "open sesame"}\n{"op": "started", "payload": "{\\"num'
            )
            assert reader.readline() == b'{"op":"welcome","version":1}\n'
            line.sendall(b'ber\\": 3}"}\n')
            assert b"work" in reader.readline()
        seen.wait_for("started 3", "lost 3")
        assert (seen.attempts[0].pid, seen.attempts[0].host) == (0, "")


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    with serving(tmp_path, tcp=True) as seen, pytest.raises(UsageError, match="Address already in use"):
        Server(seen.server._selector, unix=tmp_path / "s", token="t")


# What clients do wrong.


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"GET / HTTP/1.1", "'GET / HTTP/1.1' is not a message of the protocol (send one JSON object in each line)"),
        (b"\xff\xfe\x00", "is not a message of the protocol (send one JSON object in each line)"),
        (b"[" * 5000, "is not a message of the protocol (send one JSON object in each line)"),
        (b'"hello"', "(send one JSON object in each line)"),
        (b'{"op": "hallo"}', "(see the fields of each op in docs/protocol.md)"),
        (b'{"op": "hello", "version": "1"}', "(see the fields of each op in docs/protocol.md)"),
        (b'{"op": "hello", "version": -1}', "(see the fields of each op in docs/protocol.md)"),
        (
            b'{"op": "hello", "version": 0, "token": "open sesame"}',
            "it speaks version 0 of the protocol, and this runner version 1 (renew the client)",
        ),
        (
            b'{"op": "hello", "version": 2, "token": "open sesame"}',
            "it speaks version 2 of the protocol, and this runner version 1 (renew soak, or use an older client)",
        ),
        (
            b'{"op": "hello", "version": 1, "token": "open"}',
            "its token is not that of this run (send that of SOAK_TOKEN)",
        ),
        (b'{"op": "hello", "version": 1}', "its token is not that of this run (send that of SOAK_TOKEN)"),
        (
            b'{"op": "hello", "version": 1, "token": "open sesame", "role": "judge"}',
            "its role is not known here: 'judge' (say body)",
        ),
        (b'{"op": "started", "payload": "{\\"number\\": 1}"}', "started came before hello (send hello first)"),
        (b'{"op": "ended"}', "ended came before hello (send hello first)"),
        (b"x" * 70_000, "a line is longer than 65536 bytes (send shorter ones)"),
    ],
)
def test_who_does_not_speak_the_protocol_is_refused_in_words(tmp_path: Path, line: bytes, why: str) -> None:
    with serving(tmp_path) as seen, Client(seen) as client:
        client.raw(line + b"\n")
        heard = client.hear()
        assert heard["op"] == "refused"
        assert why in heard["why"]
        assert client.hear() == {}
        assert mistake(seen) == f"P was refused: {heard['why']}"
        assert seen.events == []
        # Others are served.
        with Client(seen) as other:
            other.hello()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{}", "see the fields"),
        (b'{"op": "started", "payload": 7}', "see the fields"),
        (b'{"op": "started", "payload": "{}"}', "the payload '{}' is not the one of a task"),
        (b'{"op": "started", "payload": "7"}', "the payload '7' is not the one of a task"),
        (b'{"op": "started", "payload": "{\\"number\\": -1}"}', "is not the one of a task"),
        (b'{"op": "started", "payload": "{\\"number\\": 1099511627776}"}', "is not the one of a task"),
        (b'{"op": "started", "payload": {"number": true}}', "see the fields"),
        (b'{"op": "started", "payload": {"number": 4}, "attempt": 0}', "see the fields"),
        (b'{"op": "ended", "end": "perhaps"}', "see the fields"),
        (b'{"op": "hello", "version": 1, "token": "open sesame"}', "it said hello again"),
        (b'{"op": "started", "payload": {"number": 4}, "id": "%s"}' % (b"x" * 201), "see the fields"),
    ],
)
def test_a_body_that_is_refused_later_loses_its_attempts(tmp_path: Path, line: bytes, why: str) -> None:
    with serving(tmp_path, plan=nothing) as seen, Client(seen) as client:
        client.hello(worker="w1", pid=12)
        client.start(3)
        client.raw(line + b"\n")
        heard = client.hear()
        assert (heard["op"], why in heard["why"]) == ("refused", True)
        seen.wait_for("started 3", "lost 3")
        assert seen.mistakes == [f"w1 (process 12) was refused: {heard['why']}"]


def test_a_start_or_an_end_that_is_reported_twice_counts_once(tmp_path: Path) -> None:
    with serving(tmp_path) as seen, Client(seen) as client:
        client.hello()
        client.start(3, id="a")
        client.start(3, id="a")
        client.say(op="ended", id="a")
        client.say(op="ended", id="a")
        client.say(op="ended", id="b")
        client.start(6, id="b")
        seen.wait_for("started 3", "ended 3 ok", "started 6")
        unstarted = "P reported an end without a start (report each end once, with the id of its start)"
        assert [mistake(seen, each) for each in range(3)] == [
            "P reported the start of task 3 twice (report each start once)",
            unstarted,
            unstarted,
        ]


def test_an_end_that_is_never_reported(tmp_path: Path) -> None:
    with serving(tmp_path) as seen, Client(seen) as client:
        client.hello()
        client.start(3)
        client.start(6)
        client.say(op="ended")
        seen.wait_for("started 3", "lost 3", "started 6", "ended 6 ok")
        assert mistake(seen) == "P started task 6, and never reported the end of task 3"


def test_an_end_before_it_was_due_or_another_than_told(tmp_path: Path) -> None:
    with serving(tmp_path, plan=nothing) as seen, Client(seen) as client:
        client.hello()
        client.start(3)
        client.say(op="ended")
        client.start(6)
        seen.wait_for("started 3", "ended 3 ok", "started 6")
        at_once(seen.server, seen.attempts[1])
        client.say(op="ended", end="transient", error="mine")
        seen.wait_for("started 3", "ended 3 ok", "started 6", "ended 6 transient mine")
        assert mistake(seen) == "P ended task 3 before it was told to (wait for finish)"
        assert mistake(seen, 1) == "P ended task 6 as transient, and was told ok"


def test_a_claim_about_the_attempt_is_kept_and_not_believed(tmp_path: Path) -> None:
    with serving(tmp_path) as seen, Client(seen) as client:
        client.hello()
        client.start(3, attempt=99)
        client.hear()
        assert (seen.attempts[0].claimed, seen.attempts[0].attempt) == (99, 0)


@pytest.mark.parametrize("stage", ["connected", "half a hello", "greeted", "half a start", "started", "told"])
def test_a_client_may_leave_at_any_stage(tmp_path: Path, stage: str) -> None:
    with serving(tmp_path) as seen:
        client = Client(seen)
        if stage == "half a hello":
            client.raw(b'{"op": "hel')
        elif stage != "connected":
            client.hello()
        if stage == "half a start":
            client.raw(b'{"op": "started", "payl')
        if stage in {"started", "told"}:
            client.start(3)
        if stage == "told":
            client.hear()
            client.hear()
        client.close()
        with Client(seen) as other:
            other.hello()
            other.start(6)
            other.hear()
            expected = ["started 3", "lost 3"] * (stage in {"started", "told"}) + ["started 6"]
            seen.wait_for(*expected)
        assert seen.mistakes == []


def test_who_does_not_read_is_disconnected_and_delays_nobody(tmp_path: Path) -> None:
    def shower(server: Server, attempt: Attempt) -> None:
        """What a body is told, far too often."""
        for _ in range(20_000 if attempt.number == 3 else 1):
            server.work(attempt, 1.0, 0)

    with serving(tmp_path, plan=shower) as seen, Client(seen) as deaf, Client(seen) as other:
        deaf.hello(worker="deaf")
        deaf.start(3)
        other.hello()
        other.start(6)
        assert other.hear()["op"] == "work"
        seen.wait_for("started 3", "lost 3", "started 6")
        assert "does not read what it is sent, and was disconnected" in seen.mistakes[0]


def test_who_reads_slowly_gets_everything(tmp_path: Path) -> None:
    def much(server: Server, attempt: Attempt) -> None:
        for _ in range(1_000):
            server.work(attempt, 1.0, 0)

    with serving(tmp_path, plan=much) as seen, Client(seen) as slow:
        slow.hello()
        slow.start(3)
        seen.wait_for("started 3")
        assert [slow.hear()["op"] for _ in range(1_000)] == ["work"] * 1_000
        slow.say(op="ended")
        seen.wait_for("started 3", "ended 3 ok")


def test_strangers_without_end(tmp_path: Path) -> None:
    with serving(tmp_path) as seen:
        strangers = [Client(seen) for _ in range(70)]
        with Client(seen) as client:
            client.hello()
        assert strangers[0].hear() == {}
        assert mistake(seen) == "P was disconnected: 64 others connected after it, and it sent no hello"
        for each in strangers:
            each.close()


def test_a_stranger_that_is_disconnected_may_have_said_something_just_then(tmp_path: Path) -> None:
    with selectors.DefaultSelector() as selector:
        server = Server(selector, unix=tmp_path / "s", token="open sesame")
        server.answer(started=lambda _: None, ended=lambda *_: None, lost=lambda *_: None, wrong=lambda _: None)
        with closing(server), ExitStack() as stack:
            strangers = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(65)]
            for each in strangers:
                if each is strangers[-1]:
                    strangers[0].sendall(b"hm")
                each.connect(str(tmp_path / "s"))
                # The one that listens comes first.
                for key, _ in sorted(selector.select(), key=lambda told: told[0].fd):
                    key.data()
            with pytest.raises(ConnectionResetError):
                strangers[0].recv(1)


def test_without_free_files_it_waits_until_somebody_leaves(tmp_path: Path) -> None:
    class Full:
        def accept(self) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

    mistakes: list[str] = []
    with selectors.DefaultSelector() as selector:
        server = Server(selector, unix=tmp_path / "s", token="open sesame")
        server.answer(started=lambda _: None, ended=lambda *_: None, lost=lambda *_: None, wrong=mistakes.append)
        seen: Any = SimpleNamespace(server=server)

        def handle() -> None:
            for _ in range(4):
                for key, _ in selector.select(0.02):
                    key.data()

        first = Client(seen)
        handle()
        full: Any = Full()
        server._accept(full)
        with Client(seen) as second:
            second.say(op="hello", version=1, token="open sesame")
            handle()
            second.socket.setblocking(False)
            with pytest.raises(BlockingIOError):
                second.socket.recv(1)
            first.close()
            handle()
            assert b"welcome" in second.socket.recv(100)
        handle()
        server.close()
    assert mistakes == ["too many connections: Too many open files"]


def test_mistakes_without_end_are_counted(tmp_path: Path) -> None:
    with serving(tmp_path) as seen, Client(seen) as client:
        client.hello()
        for _ in range(300):
            client.say(op="ended")
        client.start(3)
        seen.wait_for("started 3")
        assert (len(seen.mistakes), seen.server.mistakes) == (101, 300)
        assert (
            seen.mistakes[100] == "clients of the protocol made more than 100 mistakes: further ones are only counted"
        )


def test_the_end_of_a_run_reports_nothing_of_running_attempts(tmp_path: Path) -> None:
    with serving(tmp_path, plan=nothing) as seen:
        client = Client(seen)
        client.hello()
        client.start(3)
        seen.wait_for("started 3")
    assert seen.events == ["started 3"]
    assert seen.attempts[0].over
    assert client.hear() == {}
    client.close()
    seen.server.close()
