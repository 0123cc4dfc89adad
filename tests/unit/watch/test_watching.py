"""Watching: a live stream is followed, a finished one replayed; the dashboard shows it to this machine alone."""

import http.client
import json
import shutil
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from soak.runner.cli import run_command
from soak.runner.watch import follow as following
from soak.runner.watch.dashboard import keep_following, make_server
from soak.runner.watch.feed import Feed
from soak.runner.watch.follow import follow, newest_run
from soak.schemas.errors import UsageError

SCENARIO = """
    version: 1
    name: watched
    title: Watched <b>run</b>
    system: queue
    duration: 2h
    drain: 1h
    workload:
      arrivals: {rate: 10/min}
      task: {duration: {distribution: exponential, mean: 8s}}
    queue: {workers: 4}
    faults:
      - {name: dark, type: db_outage, at: 1h, for: 10m}
    alerts:
      - {name: backlog, when: stall_time >= 3m}
    slos: [success_rate >= 90%, latency_p95 <= 1s]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("watched")
    (path / "w.yaml").write_text(textwrap.dedent(SCENARIO))
    assert run_command(["run", str(path / "w.yaml"), "--out", str(path / "run")]) == 3
    return path / "run"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "EVERY_S", 0.02)


def test_a_finished_run_is_shown_as_it_ended(run: Path) -> None:
    *_, last = follow(run)
    verdict = json.loads((run / "verdict.json").read_text())
    assert (last.verdict, last.ended, last.reasons) == ("FAIL", "completed", verdict["reasons"])
    assert last.tasks["DONE"] == verdict["tasks"]["DONE"]
    assert [each.status for each in last.objectives] == ["PASS", "FAIL"]
    assert last.eta_s is None


def test_a_live_stream_is_followed_as_it_grows(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    stream = tmp_path / "run" / "soak_watched.jsonl"
    content = stream.read_bytes()
    half = len(content) // 2
    stream.write_bytes(content[:half])
    states = follow(tmp_path / "run")

    def grow() -> None:
        # The rest comes in pieces that end in the middle of lines.
        time.sleep(0.3)
        for start in range(half, len(content), 7_777):
            with stream.open("ab") as file:
                file.write(content[start : start + 7_777])
            time.sleep(0.005)

    writer = threading.Thread(target=grow)
    writer.start()
    seen = list(states)
    writer.join()
    assert seen[0].verdict == "so far"
    assert 0 < seen[0].t_s < seen[-1].t_s
    assert (seen[-1].verdict, seen[-1].tasks) == ("FAIL", next(iter(list(follow(run))[-1:])).tasks)


def test_a_replay_shows_faults_and_alerts_while_they_last(run: Path) -> None:
    states = list(follow(run, replay=20_000))
    times = [state.t_s for state in states]
    assert times == sorted(times)
    assert len(times) > 10
    dark = [state for state in states if state.faults == ["dark"]]
    assert dark
    assert all(3_600 <= state.t_s < 4_200 for state in dark)
    assert any(state.alerts == ["backlog"] for state in dark)
    assert states[2].eta_s is not None
    assert states[-1].verdict == "FAIL"


def test_the_newest_run(run: Path, tmp_path: Path) -> None:
    assert newest_run(run.parent) == run
    with pytest.raises(UsageError, match="contains no run"):
        newest_run(tmp_path)


@pytest.fixture
def server(run: Path) -> Iterator[tuple[str, int]]:
    feed = Feed([run])
    keep_following(feed, 0, run, None, pytest.fail)
    server = make_server(feed, [run], 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_address[0], server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def get(server: tuple[str, int], path: str, host: str = "localhost") -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection(*server, timeout=10)
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    told = answer.status, answer.headers["Content-Type"], answer.read()
    connection.close()
    return told


def test_the_dashboard_shows_the_run(server: tuple[str, int]) -> None:
    assert server[0] == "127.0.0.1"
    code, kind, page = get(server, "/")
    assert (code, kind) == (200, "text/html; charset=utf-8")
    assert b"EventSource" in page
    assert b"http://" not in page.replace(b"http://www.w3.org", b"")
    assert json.loads(get(server, "/state")[2])["verdict"] == "FAIL"
    code, kind, events = get(server, "/events")
    assert (code, kind) == (200, "text/event-stream")
    whole = next(each for each in events.split(b"\n\n") if b"event: run" in each)
    assert json.loads(whole.split(b"data: ")[1])["head"]["title"] == "Watched <b>run</b>"
    assert events.endswith(b"event: over\ndata: {}\n\n")
    assert get(server, "/etc/passwd")[0] == 404


def test_a_page_elsewhere_cannot_read_it(server: tuple[str, int]) -> None:
    assert get(server, "/state", host="evil.example")[0] == 403


def test_a_port_that_is_taken(server: tuple[str, int]) -> None:
    with pytest.raises(UsageError, match="choose another --port"):
        make_server(Feed([]), [], server[1])


@pytest.mark.parametrize("words", [["dashboard"], ["dashboard", "--live", "somewhere"], ["watch", "nowhere"]])
def test_what_is_not_to_be_watched(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(words) == 2


def test_the_terminal(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["watch", str(run)]) == 0
    told = capsys.readouterr().out
    assert "FAIL" in told
    assert "latency_p95 <= 1s" in told
    assert "Watched <b>run</b>" in told
    assert run_command(["watch", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["ended"] == "completed"
