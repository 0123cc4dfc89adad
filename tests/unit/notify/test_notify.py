"""Telling people: what they are told, that a run never waits for it, and that no secret is ever seen."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from soak.runner import outlets
from soak.runner.cli import run_command
from soak.runner.notify import notifier as notifying
from soak.runner.notify import sender
from soak.runner.notify.message import Message
from soak.runner.notify.sender import Receiver

pytestmark = pytest.mark.usefixtures("undrawn")

SENTINEL = "s3cr3t-t0k3n-that-nobody-may-see"
SCENARIO = """
    version: 1
    name: told
    system: queue
    duration: 2h
    drain: 1h
    workload:
      arrivals: {{rate: 10/min}}
      task: {{duration: {{distribution: constant, value: 4s}}}}
    queue: {{workers: 4}}
    faults:
      - {{name: dark, type: db_outage, at: 1h, for: 10m}}
    notify: {notify}
    alerts:
      - {{name: stalled, when: stall_time >= 3m, severity: critical}}
    slos: [success_rate >= 90%]
    {more}
"""
VARIABLE = "SOAK_TEST_URL"
TO_ENV = "[{to: {from_env: SOAK_TEST_URL}}]"


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, str]]]:
    """A webhook, and what it was sent; its URL holds a secret."""
    got: list[dict[str, str]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert SENTINEL in self.path
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv(VARIABLE, f"json://127.0.0.1:{server.server_address[1]}/{SENTINEL}")
    yield got
    server.shutdown()
    thread.join()
    server.server_close()


def soak(path: Path, notify: str = TO_ENV, more: str = "", *words: str) -> int:
    (path / "told.yaml").write_text(textwrap.dedent(SCENARIO).format(notify=notify, more=more))
    return run_command(["run", str(path / "told.yaml"), "--out", str(path / "run"), "--notify", *words])


def told(path: Path) -> object:
    return json.loads((path / "run" / "run_manifest.json").read_text())["notifications"]


def test_people_are_told_of_alerts_and_the_verdict(tmp_path: Path, messages: list[dict[str, str]]) -> None:
    assert soak(tmp_path) == 0
    assert [message["title"] for message in messages] == [
        "soak told: stalled (critical) fires",
        "soak told: stalled (critical) resolves",
        "soak told: PASS",
    ]
    assert messages[0]["message"].startswith("at 1h3m")
    assert messages[0]["message"].endswith("run run")
    assert [message["type"] for message in messages] == ["failure", "success", "success"]
    assert told(tmp_path) == {"sent": 3, "failed": 0}
    assert run_command(["verify", str(tmp_path / "run")]) == 0


def test_people_are_told_of_an_abort(tmp_path: Path, messages: list[dict[str, str]]) -> None:
    notify = "[{to: {from_env: SOAK_TEST_URL}, when: [aborted]}]"
    assert soak(tmp_path, notify, "abort: [{name: down, when: stall_time >= 5m}]") == 4
    assert [message["title"] for message in messages] == ["soak told: down held; the run is aborted"]


def test_a_simulation_tells_nobody_unless_asked(tmp_path: Path, messages: list[dict[str, str]]) -> None:
    (tmp_path / "told.yaml").write_text(textwrap.dedent(SCENARIO).format(notify=TO_ENV, more=""))
    assert run_command(["run", str(tmp_path / "told.yaml"), "--out", str(tmp_path / "run")]) == 0
    assert messages == []
    assert told(tmp_path) is None


def test_a_secret_from_a_file(tmp_path: Path, messages: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    (tmp_path / "secret").write_text(os.environ[VARIABLE] + "\n")
    monkeypatch.delenv(VARIABLE)
    assert soak(tmp_path, "[{to: {from_file: secret}, when: [finished]}]") == 0
    assert len(messages) == 1


def test_the_secret_is_seen_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A service that refuses everything: what fails is told, and how, but not where."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv(VARIABLE, f"json://user:{SENTINEL}@127.0.0.1:{port}/{SENTINEL}?key={SENTINEL}")
    monkeypatch.setattr(sender, "AGAIN_AFTER_S", (0.0,))
    assert soak(tmp_path, TO_ENV, "", "--debug") == 0
    assert told(tmp_path) == {"sent": 0, "failed": 3}
    output = capfd.readouterr()
    assert "notify SOAK_TEST_URL: a message could not be sent (the run continues)" in output.err
    assert SENTINEL not in output.out + output.err
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or SENTINEL.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "the environment variable SOAK_TEST_URL is not set"),
        (f"nothing-{SENTINEL}", "SOAK_TEST_URL is not a URL supported by Apprise"),
    ],
)
def test_a_url_that_is_none_is_told_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], url: str, message: str
) -> None:
    monkeypatch.setenv(VARIABLE, url)
    assert soak(tmp_path) == 2
    output = capfd.readouterr().err
    assert message in output
    assert SENTINEL not in output
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_missing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert soak(tmp_path, "[{to: {from_file: nowhere}}]") == 2
    assert "notify: nowhere: No such file or directory" in capfd.readouterr().err


def test_a_service_that_hangs_holds_up_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setenv(VARIABLE, "json://somewhere")
    monkeypatch.setattr(outlets, "PATIENCE_S", 0.2)
    monkeypatch.setattr(notifying.Notifier.__init__, "__defaults__", (lambda name, url: lambda *_: released.wait(30),))
    began = time.monotonic()
    assert soak(tmp_path) == 0
    assert time.monotonic() - began < 20
    assert told(tmp_path) == {"sent": 0, "failed": 3}
    released.set()


def test_what_fails_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "AGAIN_AFTER_S", (0.0, 0.0))
    answers = [False, RuntimeError("down"), True, True]

    def send(message: Message) -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    receiver = Receiver("x", send)
    receiver.tell(Message("a", "b"))
    receiver.tell(Message("c", "d"))
    receiver.close(time.monotonic() + 5)
    assert (receiver.count.sent, receiver.count.failed, answers) == (2, 0, [])


@pytest.mark.parametrize(
    ("notify", "message"),
    [
        ("[{to: {from_env: X, from_file: y}}]", "has 2 entries"),
        ("[{to: {}}]", "is empty"),
        ("[{to: slack://token}]", "is not a mapping"),
        ("[{to: {from_env: X}, when: [sometimes]}]", "unknown value 'sometimes'"),
    ],
)
def test_a_scenario_that_is_wrong(tmp_path: Path, capfd: pytest.CaptureFixture[str], notify: str, message: str) -> None:
    assert soak(tmp_path, notify) == 2
    assert message in capfd.readouterr().err


HASTY = "from soak.runner import outlets; outlets.PATIENCE_S = 0.5; from soak.runner.cli import main; main()"


def test_a_service_that_answers_a_byte_at_a_time_does_not_keep_the_process(tmp_path: Path) -> None:
    over = threading.Event()

    class Trickling(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with contextlib.suppress(OSError):
                while not over.wait(0.1):
                    self.wfile.write(b"H")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Trickling)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    (tmp_path / "told.yaml").write_text(textwrap.dedent(SCENARIO).format(notify=TO_ENV, more=""))
    words = ["run", str(tmp_path / "told.yaml"), "--out", str(tmp_path / "run"), "--notify"]
    environment = {**os.environ, VARIABLE: f"json://127.0.0.1:{server.server_address[1]}/x"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", HASTY, *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
    assert done.returncode == 0
    assert "dropped 3 messages" in done.stderr
