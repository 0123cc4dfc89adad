"""Each fault of a dependency is real, as a caller with a plain socket sees it, and it says what it did."""

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import psutil
import pytest
from calls import Answer, answer, ask, dependency, hang_up, send, told, whats

from soak.runner.targets.calls.dependencies import Program
from soak.systems.calls import faults
from soak.systems.calls.fate import Fate
from soak.systems.calls.faults import Backend, Closed, Disk
from soak.systems.calls.limits import Bucket

QUICK_S = 0.01
WELL = Answer(200, {"Content-Type": "application/json", "Content-Length": "2", "Connection": "close"}, "")


_NUMBERS = count(2, 2)


def fate(fault: str = "", **more: object) -> Fate:
    """What a call of a new task is to meet."""
    told = {"task": next(_NUMBERS), "attempt": 2, "latency_s": QUICK_S, "cause": 7, "fault": fault, **more}
    return Fate(**told)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A dependency without limits, shared by tests that leave it as it was."""
    asked = "{name: f, type: disk_full, rate: 100%, at: 0s, for: 1s}"
    with dependency(tmp_path_factory.mktemp("plain"), faults=asked) as program:
        yield program


def test_a_call_that_nothing_happens_to_is_answered(plain: Program) -> None:
    call = fate()
    assert ask(plain, call) == WELL
    (line,) = told(plain, call)
    assert (line["what"], line["attempt"]) == ("answered", 2)


def test_a_port_without_a_listener_refuses(plain: Program) -> None:
    with pytest.raises(ConnectionRefusedError) as refused:
        socket.create_connection(("127.0.0.1", int(plain.refusing_url.rpartition(":")[2])), 5)
    assert refused.value.errno == errno.ECONNREFUSED


def test_a_connection_is_reset(plain: Program) -> None:
    call = fate("connection_reset", within=0.5)
    with pytest.raises(ConnectionResetError) as reset:
        ask(plain, call)
    assert whats(plain, call) == ["fault"]
    assert reset.value.errno == errno.ECONNRESET


def test_no_answer_comes(plain: Program) -> None:
    call = fate("timeout")
    with pytest.raises(TimeoutError):
        ask(plain, call, patience_s=1.0)
    assert whats(plain, call) == ["fault"]
    assert ask(plain, fate()).status == 200


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("server_error", 500),
        ("queue_full", 503),
        ("worker_down", 503),
        ("pool_exhausted", 503),
        ("permission_denied", 403),
        ("disk_full", 507),
    ],
)
def test_an_error_is_answered_and_told(fault: str, status: int, plain: Program) -> None:
    call = fate(fault)
    got = ask(plain, call)
    (line,) = told(plain, call)
    assert (got.status, got.error) == (status, fault)
    assert (line["what"], line["attempt"], line["cause"]) == ("fault", 2, 7)


def test_a_fault_that_does_not_take_place_is_not_told(tmp_path: Path, plain: Program) -> None:
    refused = fate("connection_error")
    assert ask(plain, refused).error == "no_fault"
    assert whats(plain, refused) == []
    with dependency(tmp_path) as program:
        full = fate("disk_full")
        assert ask(program, full).error == "no_fault"
        assert whats(program, full) == []


def test_too_many_requests_say_when_to_come_again(plain: Program) -> None:
    got = ask(plain, fate("rate_limited", retry_after_s=1.5))
    assert (got.status, got.headers["Retry-After"]) == (429, "1.5")


def test_an_answer_is_late(plain: Program) -> None:
    began, call = time.monotonic(), fate("delay", delay_s=0.3)
    assert ask(plain, call) == WELL
    assert time.monotonic() - began >= 0.3
    assert whats(plain, call) == ["fault", "answered"]


def test_only_the_bad_release_is_bad(plain: Program, tmp_path: Path) -> None:
    assert ask(plain, fate("bad_release")).status == 200
    with dependency(tmp_path, bad=True) as program:
        assert ask(program, fate("bad_release")).status == 500


def test_nonsense_is_answered_and_survived(plain: Program) -> None:
    for text in (b"GET /call HTTP/1.1\r\nx-soak-fate: {\r\n\r\n", b"GET /call HTTP/1.1\r\nx-soak-fate: {}\r\n\r\n"):
        to = socket.create_connection(("127.0.0.1", int(plain.url.rpartition(":")[2])), 20)
        to.sendall(text)
        assert answer(to).status == 400
    hang_up(send(plain, fate()))
    assert ask(plain, fate()).status == 200


def test_a_killed_dependency_refuses_and_keeps_its_port(tmp_path: Path) -> None:
    with dependency(tmp_path) as program:
        call = fate("timeout")
        with send(program, call) as waiting:
            until = time.monotonic() + 20
            while not told(program, call) and time.monotonic() < until:
                time.sleep(0.01)
            program.kill()
            assert not program.is_alive()
            assert waiting.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            ask(program, fate())
        with socket.socket() as thief, pytest.raises(OSError) as taken:
            thief.bind(("127.0.0.1", int(program.url.rpartition(":")[2])))
        assert taken.value.errno == errno.EADDRINUSE
        program.start()
        assert ask(program, fate()).status == 200


# Limits.


def test_memory_is_limited_and_the_process_survives(tmp_path: Path) -> None:
    text = "{name: primary, latency: {distribution: constant, value: 50ms}, memory: 40MB}"
    with dependency(tmp_path, text) as program:
        (pid,) = program.processes().values()
        before = psutil.Process(pid).memory_info().rss
        answers = [ask(program, fate(memory_bytes=10_000_000, hold=True)) for _ in range(5)]
        assert [got.error for got in answers] == ["", "", "", "", "out_of_memory"]
        assert psutil.Process(pid).memory_info().rss - before > 39_000_000
        assert [ask(program, fate(memory_bytes=10_000_000)).status, ask(program, fate()).status] == [503, 200]


def test_memory_that_is_not_held_can_be_had_again(tmp_path: Path) -> None:
    text = "{name: primary, latency: {distribution: constant, value: 50ms}, memory: 40MB}"
    with dependency(tmp_path, text) as program:
        sizes = (40_000_000, 47_000_000, 40_000_000, 12_000_000, 40_000_000)
        assert [ask(program, fate(memory_bytes=size)).status for size in sizes] == [200, 503, 200, 200, 200]
        assert ask(program, fate(memory_bytes=12_000_000, pieces=4, piece_s=QUICK_S)).status == 200


def test_a_queue_is_bounded(tmp_path: Path) -> None:
    text = "{name: primary, latency: {distribution: constant, value: 50ms}, capacity: {workers: 1, waiting: 1}}"
    with dependency(tmp_path, text) as program:
        first = send(program, fate(latency_s=2.5))
        second = send(program, fate(latency_s=QUICK_S))
        until = time.monotonic() + 2
        while (third := ask(program, fate(latency_s=QUICK_S))).status != 503 and time.monotonic() < until:
            # The other two have not arrived yet.
            pass
        assert third.error == "queue_full"
        assert [answer(each).status for each in (first, second)] == [200, 200]


def test_who_waits_in_the_queue_and_goes_away_makes_room(tmp_path: Path) -> None:
    text = "{name: primary, latency: {distribution: constant, value: 50ms}, capacity: {workers: 1, waiting: 1}}"
    with dependency(tmp_path, text) as program:
        first = send(program, fate(latency_s=1.2))
        time.sleep(0.5)
        hang_up(send(program, fate(latency_s=60.0)))
        until = time.monotonic() + 20
        while ask(program, fate()).status == 503 and time.monotonic() < until:
            time.sleep(0.02)
        assert answer(first).status == 200
        assert ask(program, fate()).status == 200


def test_a_bucket_answers_429(tmp_path: Path) -> None:
    text = "{name: primary, latency: {distribution: constant, value: 50ms}, rate_limit: {rate: 1/h, burst: 2}}"
    with dependency(tmp_path, text) as program:
        answers = [ask(program, fate()) for _ in range(3)]
    assert [got.status for got in answers] == [200, 200, 429]
    assert 3500 < float(answers[-1].headers["Retry-After"]) <= 3600


def test_a_bucket_fills_up_again() -> None:
    now = [0.0]
    bucket = Bucket(2.0, 3, lambda: now[0])
    assert [bucket.wait_s() for _ in range(4)] == [0, 0, 0, 0.5]
    now[0] = 0.5
    assert [bucket.wait_s() for _ in range(2)] == [0, 0.5]
    now[0] = 100.0
    assert [bucket.wait_s() for _ in range(4)] == [0, 0, 0, 0.5]


@pytest.mark.parametrize("capacity", ["", ", capacity: {workers: 4, waiting: 0}"])
@pytest.mark.parametrize(
    ("isolation", "statuses", "lost"), [("none", {200}, 1), ("optimistic", {200, 409}, 0), ("lock", {200}, 0)]
)
def test_two_changes_of_a_record_meet(
    isolation: str, statuses: set[int], lost: int, capacity: str, tmp_path: Path
) -> None:
    store = f"store: {{records: 1, isolation: {isolation}}}"
    text = f"{{name: primary, latency: {{distribution: constant, value: 50ms}}, {store}{capacity}}}"
    with dependency(tmp_path, text) as program:
        calls = [fate(latency_s=0.5) for _ in range(2)]
        both = [send(program, call) for call in calls]
        assert {answer(each).status for each in both} == statuses
        assert sum(whats(program, call).count("lost") for call in calls) == lost
        assert ask(program, fate()).status == 200


# What the operating system does.


def test_a_disk_is_full_where_nothing_can_be_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_mount", lambda _: False)
    disk = Disk(tmp_path, "d")
    assert not disk.mounted
    assert disk.write()
    disk._path = str(tmp_path / "room")
    assert not disk.write()


def test_a_file_may_not_be_read(tmp_path: Path) -> None:
    closed = Closed(tmp_path, "d")
    assert closed.read()
    assert (tmp_path / "d-closed").stat().st_mode & 0o777 == 0


def test_those_behind_refuse() -> None:
    with closing(Backend()) as backend:
        assert backend.worker_down()
        assert backend.queue_full()
        assert backend.pool_exhausted()
