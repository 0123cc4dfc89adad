"""What programs of a system use, against the real server: threads, processes, coroutines, and a runner that is gone."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from protocol_server import Seen, nothing, serving
from servers import until

from soak import kit
from soak.body import PermanentError, RunnerGoneError, TransientError
from soak.runner.targets.queue.foreign.kit_folder import write_kit


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Without a line of another test."""
    kit._thread.__dict__.pop("line", None)
    for name in (kit.ADDRESS, kit.TOKEN, kit.CONFIG, kit.WORKER, kit.PAYLOAD):
        monkeypatch.delenv(name, raising=False)
    yield monkeypatch
    kit._thread.__dict__.pop("line", None)


@pytest.fixture
def seen(tmp_path: Path, environment: pytest.MonkeyPatch) -> Iterator[Seen]:
    with serving(tmp_path) as seen:
        point_at(seen, environment)
        yield seen


@pytest.fixture
def waiting(tmp_path: Path, environment: pytest.MonkeyPatch) -> Iterator[Seen]:
    """A server that tells nobody to end."""
    with serving(tmp_path, plan=nothing) as seen:
        point_at(seen, environment)
        yield seen


def point_at(seen: Seen, environment: pytest.MonkeyPatch) -> None:
    for name, value in seen.server.environment.items():
        environment.setenv(name, value)


def payload(number: int) -> str:
    return json.dumps({"number": number})


def lines_of(seen: Seen) -> int:
    return len({each.line for each in seen.attempts})


def test_attempts_of_a_thread_share_a_line(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(kit.WORKER, "w5")
    assert kit.attempt(payload(0)) == kit.Result(0)
    assert kit.attempt(payload(3), attempt=2, worker="w6").tokens == 3
    with pytest.raises(TransientError, match="network"):
        kit.attempt(payload(4))
    with pytest.raises(PermanentError, match="bad_input"):
        kit.attempt(payload(5))
    assert kit.attempt(payload(6)).tokens == 6
    assert lines_of(seen) == 1
    assert [each.worker for each in seen.attempts] == ["w5", "w6", "w5", "w5", "w5"]
    assert [each.claimed for each in seen.attempts] == [None, 2, None, None, None]
    assert {each.pid for each in seen.attempts} == {os.getpid()}
    assert seen.events[4:8] == ["started 4", "ended 4 transient network", "started 5", "ended 5 permanent bad_input"]


def test_threads_have_lines_of_their_own(waiting: Seen) -> None:
    threads = [threading.Thread(target=kit.attempt, args=(payload(3 * n),)) for n in range(8)]
    for each in threads:
        each.start()
    until(lambda: len(waiting.attempts) == 8)
    for attempt in waiting.attempts:
        waiting.server.finish(attempt, end="ok")
    for each in threads:
        each.join(10)
    assert lines_of(waiting) == 8
    until(lambda: len(waiting.events) == 16)
    assert sorted(waiting.events[8:]) == sorted(f"ended {3 * n} ok" for n in range(8))


def test_a_child_after_a_fork_has_a_line_of_its_own(seen: Seen) -> None:
    code = f"""
import os
from soak import kit
kit.attempt('{payload(0)}')
for number in (3, 6):
    if os.fork() == 0:
        kit.attempt('{{"number": %d}}' % number)
        os._exit(0)
    os.wait()
kit.attempt('{payload(9)}')
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=20)
    assert seen.events == [
        f"{what} {n}{' ok' * (what == 'ended')}" for n in (0, 3, 6, 9) for what in ("started", "ended")
    ]
    first, second, third, fourth = seen.attempts
    assert first.line is fourth.line and lines_of(seen) == 3
    assert len({first.pid, second.pid, third.pid}) == 3 and first.pid == fourth.pid


def test_a_process_that_dies_is_seen_although_its_child_lives(waiting: Seen) -> None:
    code = f"""
import os, sys, threading, time
from soak import kit
threading.Thread(target=kit.attempt, args=('{payload(0)}',), daemon=True).start()
sys.stdin.readline()
if os.fork() == 0:
    os.close(1)
    time.sleep(60)
print("forked", flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            assert process.stdin and process.stdout
            waiting.wait_for("started 0")
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"forked\n"
            process.kill()
            process.wait()
            waiting.wait_for("started 0", "lost 0")
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_an_attempt_that_is_broken_down_from_outside_is_lost(waiting: Seen) -> None:
    class Timeout(BaseException):
        """As systems raise it into a body that takes too long."""

    def ring(*_: object) -> None:
        raise Timeout

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(Timeout):
            kit.attempt(payload(0))
    finally:
        signal.signal(signal.SIGALRM, before)
    waiting.wait_for("started 0", "lost 0")


def test_work_of_ones_own(waiting: Seen) -> None:
    with kit.own_attempt(payload(0), worker="w1"):
        waiting.wait_for("started 0")
    with pytest.raises(ZeroDivisionError), kit.own_attempt(payload(1)):
        _ = 1 / 0
    with pytest.raises(PermanentError), kit.own_attempt(payload(2)):
        raise PermanentError("no_money")
    with pytest.raises(KeyboardInterrupt), kit.own_attempt(payload(3)):
        raise KeyboardInterrupt
    with kit.own_attempt(payload(4)), kit.own_attempt(payload(5)):
        pass
    waiting.wait_for(
        *("started 0", "ended 0 ok", "started 1", "ended 1 transient ZeroDivisionError", "started 2"),
        *("ended 2 permanent no_money", "started 3", "lost 3", "started 4", "started 5", "ended 5 ok", "ended 4 ok"),
    )
    assert waiting.attempts[0].own and waiting.attempts[0].worker == "w1"
    assert waiting.mistakes == []


def test_coroutines(seen: Seen) -> None:
    async def all_at_once() -> list[kit.Result | BaseException]:
        return await asyncio.gather(*(kit.attempt_async(payload(n)) for n in range(9)), return_exceptions=True)

    results = asyncio.run(all_at_once())
    assert results[0::3] == [kit.Result(0), kit.Result(3), kit.Result(6)]
    assert [type(each) for each in results[1:3]] == [TransientError, PermanentError]
    until(lambda: len(seen.events) == 18)


def test_a_coroutine_that_is_cancelled_is_an_attempt_that_broke_down(waiting: Seen) -> None:
    async def cancelled() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(kit.attempt_async(payload(0)), 0.3)

    asyncio.run(cancelled())
    waiting.wait_for("started 0", "lost 0")


def test_memory_is_used_meanwhile(waiting: Seen) -> None:
    thread = threading.Thread(target=kit.attempt, args=(payload(0),))
    thread.start()
    waiting.wait_for("started 0")
    before = _resident()
    waiting.server.work(waiting.attempts[0], 1.0, 50_000_000)
    until(lambda: _resident() > before + 40_000_000)
    waiting.server.finish(waiting.attempts[0], end="ok")
    thread.join()
    assert _resident() < before + 40_000_000


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# A runner that is gone, or refuses.


def test_without_a_runner(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(RunnerGoneError, match="SOAK_ADDRESS is '', not unix:PATH or tcp:HOST:PORT"):
        kit.attempt(payload(0))
    for address in (f"unix:{tmp_path / 's'}", "tcp:127.0.0.1:1", "tcp:[::1]:1"):
        environment.setenv(kit.ADDRESS, address)
        with pytest.raises(RunnerGoneError, match="no runner at"):
            kit.attempt(payload(0))
        with pytest.raises(RunnerGoneError, match="no runner at"):
            asyncio.run(kit.attempt_async(payload(0)))
    for address in ("unix:", "tcp:host", "tcp:host:port", "/socket"):
        environment.setenv(kit.ADDRESS, address)
        with pytest.raises(RunnerGoneError, match="SOAK_ADDRESS is"):
            kit.attempt(payload(0))


def test_the_runner_ends_during_an_attempt_and_another_one_comes(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    ended = []

    def attempt() -> None:
        try:
            kit.attempt(payload(0))
        except RunnerGoneError as error:
            ended.append(str(error))

    with serving(tmp_path / "a", plan=nothing) as seen:
        point_at(seen, environment)
        thread = threading.Thread(target=attempt)
        thread.start()
        seen.wait_for("started 0")
    thread.join(10)
    assert ended == ["the runner has closed the connection"]


def test_a_line_that_was_closed_meanwhile_is_opened_again(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        with serving(tmp_path / name) as seen:
            point_at(seen, environment)
            kit.attempt(payload(0))
            seen.wait_for("started 0", "ended 0 ok")


def test_a_wrong_token(seen: Seen, environment: pytest.MonkeyPatch) -> None:
    environment.setenv(kit.TOKEN, "open")
    with pytest.raises(RunnerGoneError, match="the runner refuses this program: its token is not that of this run"):
        kit.attempt(payload(0))
    with pytest.raises(RunnerGoneError, match="the runner refuses this program: its token is not that of this run"):
        asyncio.run(kit.attempt_async(payload(0)))


def test_settings(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(RunnerGoneError, match="SOAK_CONFIG is not set"):
        kit.settings()
    environment.setenv(kit.CONFIG, str(tmp_path / "config.json"))
    with pytest.raises(RunnerGoneError, match="cannot be read"):
        kit.settings()
    (tmp_path / "config.json").write_text('{"max_attempts": 3, "backoff_s": [0.5, 1]}')
    settings = kit.settings()
    assert (settings.max_attempts, settings["backoff_s"]) == (3, [0.5, 1])
    with pytest.raises(AttributeError, match=r"no setting 'lease' \(it has: max_attempts, backoff_s\)"):
        _ = settings.lease


# The command.


def body(seen: Seen, *words: str, **options: object) -> "subprocess.CompletedProcess[str]":
    more = {**os.environ, **seen.server.environment, **dict(options.pop("environment", {}))}  # type: ignore[call-overload]
    return subprocess.run(words, capture_output=True, text=True, check=False, env=more, timeout=20, **options)  # type: ignore[call-overload, no-any-return]


def test_the_command_does_an_attempt(seen: Seen) -> None:
    soak = (sys.executable, "-m", "soak", "body")
    done = [body(seen, *soak, payload(number)) for number in range(3)]
    assert [each.returncode for each in done] == [0, 75, 65]
    assert [each.stderr for each in done] == ["", "transient error: network\n", "permanent error: bad_input\n"]
    assert body(seen, *soak, input=payload(3) + "\n").returncode == 0
    assert body(seen, *soak, environment={"SOAK_PAYLOAD": payload(6), "SOAK_WORKER": "w9"}, input="").returncode == 0
    assert seen.attempts[-1].worker == "w9"
    gone = body(seen, *soak, payload(9), environment={"SOAK_ADDRESS": "unix:nowhere"})
    assert gone.returncode == 70 and "no runner at unix:nowhere" in gone.stderr
    refused = body(seen, *soak, "seven")
    assert refused.returncode == 70 and "the payload 'seven' is not the one of a task" in refused.stderr


def test_a_folder_for_other_interpreters(seen: Seen, tmp_path: Path) -> None:
    folder = write_kit(tmp_path / "kit")
    assert sorted(path.name for path in (folder / "soak").iterdir()) == [
        *("__init__.py", "body.py", "contract.py", "kit.py", "serving.py")
    ]
    bare = {"PYTHONPATH": str(folder)}
    for words in ((str(folder / "soak" / "kit.py"), "body"), ("-m", "soak.kit", "body")):
        done = body(seen, sys.executable, "-S", "-W", "error", *words, payload(1), environment=bare)
        assert (done.returncode, done.stderr) == (75, "transient error: network\n")
    # Where the whole of soak is installed, too, it is found.
    whole = {"PYTHONPATH": f"{folder}{os.pathsep}{Path(kit.__file__).parents[1]}"}
    assert body(seen, sys.executable, "-m", "soak", "body", payload(2), environment=whole).returncode == 65
    usage = body(seen, sys.executable, str(folder / "soak" / "kit.py"), "attempt")
    assert usage.returncode == 2 and usage.stderr.startswith("usage: python -m soak.kit body [PAYLOAD]")


def test_the_kit_loads_little_and_nothing_else_of_soak() -> None:
    code = "import sys; import soak.kit; print([n for n in sys.modules if n.startswith('soak.') or n in HEAVY])"
    heavy = "HEAVY = ('asyncio', 'pathlib', 'concurrent.futures', 'subprocess', 'inspect', 'click'); "
    done = subprocess.run([sys.executable, "-c", heavy + code], capture_output=True, text=True, check=True)
    assert done.stdout == "['soak.kit']\n"


@pytest.mark.parametrize("source", ["kit.py", "serving.py"])
def test_the_kit_is_written_for_older_versions_of_python(source: str) -> None:
    import ast

    text = (Path(kit.__file__).parent / source).read_text()
    tree = ast.parse(text, feature_version=(3, 9))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Match)]
    assert "from __future__ import annotations" in text
