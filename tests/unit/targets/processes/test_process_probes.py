"""Probes, finding and metrics, each of a tiny real process."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import free_port, until

from soak.runner.targets.offspring import offspring_ended
from soak.runner.targets.processes import probes
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.finding import AmbiguousError, find
from soak.runner.targets.processes.launch import Child, Launcher, StartError
from soak.runner.targets.processes.metrics import MetricReader, of_json, of_page
from soak.runner.targets.processes.notify import NotifySocket
from soak.runner.targets.processes.ports import free_ports, is_taken, listeners
from soak.runner.targets.processes.probes import Probed, Subject, probe
from soak.runner.targets.processes.starting import Programs
from soak.schemas.target.model import Find, Metric, Probe, ProbeKind, Program, Stop

TINY = Path(__file__).with_name("tiny.py")
METRICS = Path(__file__).with_name("metrics.txt")


def program(name: str, *words: object, ready: Probe | None = None, grace_s: float | None = None) -> Program:
    command = " ".join([sys.executable, str(TINY), *map(str, words)])
    return Program(name, command, ".", {}, (), ready, Stop(grace_s=grace_s))


def http(port: int, timeout_s: float = 2.0, **more: object) -> Probe:
    return Probe(ProbeKind.HTTP, f"http://127.0.0.1:{port}/health", timeout_s, **more)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    with offspring_ended("the test"):
        yield


@pytest.fixture
def background() -> Iterator[Background]:
    with Background() as found:
        yield found


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    found = Launcher(tmp_path, tmp_path, {"GREETING": "hello"})
    yield found
    found.end_all()


@pytest.fixture
def programs(launcher: Launcher, background: Background) -> Iterator[Programs]:
    found = Programs(launcher, background)
    yield found
    found.stop_all()


def look(background: Background, how: Probe, subject: Subject | None = None) -> Probed:
    return background.run(probe(how, subject or Subject()), 10.0)


# Probes.


def test_http_is_green_when_it_answers_as_it_should(background: Background, programs: Programs) -> None:
    good, bad = free_port(), free_port()
    programs.start_all(
        [program("good", "http", good, ready=http(good)), program("bad", "http", bad, 503, ready=tcp(bad))]
    )
    assert look(background, http(good)).green
    assert look(background, http(good, contains='"ok": true')).green
    assert look(background, http(good, contains="fine")).reason == "the answer does not contain 'fine'"
    assert look(background, http(bad)).reason == "answered 503"
    assert look(background, http(bad, status=(503,))).green
    assert look(background, http(free_port())).reason == "Connection refused"


def tcp(port: int) -> Probe:
    return Probe(ProbeKind.TCP, str(port), 2.0)


@pytest.mark.parametrize("how", [(), ("drip",)])
def test_http_ends_in_time_whatever_the_other_side_does(
    background: Background, programs: Programs, how: tuple[str, ...]
) -> None:
    port = free_port()
    programs.start(program("mute", "mute", port, *how, ready=tcp(port)))
    said = look(background, http(port, 0.3))
    assert (said.green, said.reason) == (False, "no answer within 0.3 s")
    assert said.took_s < 1


def test_an_address_that_says_no_http(background: Background, programs: Programs) -> None:
    assert not look(background, Probe(ProbeKind.TCP, f"127.0.0.1:{free_port()}", 2.0)).green


def test_exec_is_green_when_it_exits_with_0_in_time(background: Background, tmp_path: Path) -> None:
    def run(command: str, timeout_s: float = 5.0, contains: str | None = None) -> Probed:
        subject = Subject(environment={**os.environ, "A": "b"}, folder=tmp_path)
        return look(background, Probe(ProbeKind.EXEC, command, timeout_s, contains=contains), subject)

    assert run("sh -c 'test $A = b && test $PWD = " + str(tmp_path) + "'").green
    assert run("sh -c 'exit 4'").reason == "the command exited with 4"
    assert run("sh -c 'echo fine'", contains="fine").green
    assert run("sh -c 'echo ill'", contains="fine").reason == "the output of the command does not contain 'fine'"
    assert run("no-such-command-here").reason == "the command cannot be started: No such file or directory"
    late = run(f"{sys.executable} {TINY} sleep", 0.5)
    assert late.reason == "no answer within 0.5 s"


def test_a_file_is_green_while_it_is_fresh(background: Background, tmp_path: Path) -> None:
    path = tmp_path / "beat"
    how = Probe(ProbeKind.FILE, str(path), 2.0, fresh_s=5.0)
    assert look(background, how).reason == "beat: No such file or directory"
    path.touch()
    assert look(background, how).green
    os.utime(path, (time.time() - 60, time.time() - 60))
    assert look(background, how).reason == "beat was written to 60.0 s ago"
    assert look(background, Probe(ProbeKind.FILE, str(path), 2.0)).green


def test_a_log_counts_from_the_start_of_the_process(background: Background, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("listening on 1\n")
    how = Probe(ProbeKind.LOG, r"^listening on \d+$", 2.0)
    assert look(background, how, Subject(log)).green
    assert not look(background, how, Subject(log, log_from=len("listening on 1\n"))).green
    log.write_text("listening on 1\nlistening on 23")
    assert not look(background, how, Subject(log, log_from=len("listening on 1\n"))).green, "half a line is not one"


def test_sd_notify(background: Background, launcher: Launcher) -> None:
    notify = NotifySocket(background)
    ready, live = Probe(ProbeKind.NOTIFY, "", 2.0), Probe(ProbeKind.NOTIFY, "", 2.0, fresh_s=0.5)
    subject = Subject(notify=notify)
    assert look(background, ready, subject).reason == "has not sent READY=1"
    child = launcher.start(program("notify", "notify", 0.2, 4), notify.environment)
    until(lambda: look(background, ready, subject).green)
    assert notify.status == "loaded"
    assert look(background, live, subject).green
    until(lambda: not look(background, live, subject).green)
    assert look(background, ready, subject).green, "ready is not taken back"
    assert child.exit() is None
    notify.close()


# Starting.


def test_what_does_not_exist_is_named_before_anything_is_started(launcher: Launcher) -> None:
    def missing(command: str, directory: str = ".", path: str | None = None) -> str:
        environment = {} if path is None else {"PATH": path}
        found = launcher.missing(Program("a", command, directory, environment, (), None, Stop()))
        return f"{found.key}: {found.what}" if found else ""

    assert missing("no-such-command-here x") == "command: there is no command 'no-such-command-here'"
    assert missing("./no-such-file") == "command: there is no command './no-such-file'"
    assert missing("sh -c true", "nowhere") == "directory: there is no directory 'nowhere'"
    assert missing("sh -c true", path="/nowhere") == "command: there is no command 'sh'"
    assert missing("sh -c true") == ""


def test_logs_are_appended_to_and_the_environment_is_passed_on(launcher: Launcher, tmp_path: Path) -> None:
    script = Program("a", "sh -c 'echo $GREETING $MORE'", ".", {"MORE": "there"}, (), None, Stop())
    for _ in range(2):
        assert launcher.start(script).wait(10.0) == 0
    assert (tmp_path / "a.log").read_text() == "hello there\n" * 2


def test_a_program_that_ends_before_it_is_ready_is_named_with_its_last_words(programs: Programs) -> None:
    with pytest.raises(StartError) as error:
        programs.start(program("early", "end", 3, ready=tcp(free_port())))
    assert str(error.value) == "early exited with 3: cannot go on (see early.log)"


def test_a_program_that_is_never_ready_is_named_with_its_probe(programs: Programs) -> None:
    ready = Probe(ProbeKind.TCP, str(free_port()), 1.0, within_s=0.3)
    with pytest.raises(StartError) as error:
        programs.start(program("late", "sleep", ready=ready))
    said = (
        "late is not ready after 0.3 s: Connection refused; its last line: begun (see late.log, or correct its probe)"
    )
    assert str(error.value) == said


def test_programs_stop_in_reverse_order_and_who_is_deaf_is_killed(programs: Programs, tmp_path: Path) -> None:
    log = tmp_path / "order"
    programs.start_all(
        [program("first", "polite", log), program("second", "polite", log), program("deaf", "deaf", grace_s=0.3)]
    )
    time.sleep(0.5)
    pids = {name: each.pid for name, each in programs.processes().items()}
    assert programs.stop_all() == {"deaf": False, "second": True, "first": True}
    assert log.read_text().split() == [str(pids["second"]), str(pids["first"])]


# Finding.


def test_a_process_is_found_by_its_pid_file(launcher: Launcher, tmp_path: Path) -> None:
    path = tmp_path / "daemon.pid"
    assert find(Find(pid_file=str(path))) is None
    assert launcher.start(program("daemon", "daemon", path)).wait(10.0) == 0
    found = until(lambda: find(Find(pid_file=str(path))))
    assert found.pid == int(path.read_text())
    for text in ("", "12x", "4194304000"):
        path.write_text(text)
        assert find(Find(pid_file=str(path))) is None


def test_a_pid_file_that_is_older_than_the_process_is_of_another_one(launcher: Launcher, tmp_path: Path) -> None:
    path = tmp_path / "a.pid"
    child = launcher.start(program("a", "sleep"))
    path.write_text(str(child.id.pid))
    assert find(Find(pid_file=str(path))) == child.id
    os.utime(path, (time.time() - 60, time.time() - 60))
    assert find(Find(pid_file=str(path))) is None


def test_what_is_older_than_soak_itself_is_never_found(
    launcher: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,), path = free_ports(["a"]).values(), tmp_path / "a.pid"
    older = launcher.start(program("a", "http", port))
    path.write_text(str(older.id.pid))
    ways = [Find(pid_file=str(path)), Find(command_line=f"http {port}$"), Find(port=str(port))]
    until(lambda: find(ways[-1]))
    assert [find(way) for way in ways] == [older.id] * 3
    until(
        lambda: (younger := launcher.start(program("b", "sleep"))).id.started_ticks > older.id.started_ticks and younger
    )
    younger = launcher.start(program("c", "sleep"))
    monkeypatch.setattr(os, "getpid", lambda: younger.id.pid)
    assert [find(way) for way in ways] == [None] * 3


def test_a_process_is_found_by_its_command_line_behind_a_shell(launcher: Launcher) -> None:
    shell = Program("a", f"sh -c '{sys.executable} {TINY} sleep unlikely-word-1; true'", ".", {}, (), None, Stop())
    child = launcher.start(shell)
    found = until(lambda: find(Find(command_line="sleep unlikely-word-[1]$")))
    assert found.pid != child.id.pid
    launcher.start(program("b", "sleep", "unlikely-word-1"))
    with pytest.raises(AmbiguousError, match="2 processes have a command line that matches"):
        until(lambda: find(Find(command_line="sleep unlikely-word-[1]$")) != found)
    assert find(Find(command_line="unlikely-word-[3]")) is None


def test_a_process_is_found_by_its_port(launcher: Launcher) -> None:
    (port,) = free_ports(["a"]).values()
    assert (find(Find(port=str(port))), is_taken(port)) == (None, False)
    child = launcher.start(program("a", "http", port))
    assert until(lambda: find(Find(port=str(port)))) == child.id
    assert [each.id for each in listeners(port)] == [child.id]
    assert is_taken(port)


def test_free_ports_are_all_different() -> None:
    assert len(set(free_ports(f"p{number}" for number in range(20)).values())) == 20


# Metrics.


def read(how: Metric) -> float | None:
    return asyncio.run(MetricReader(how).read())


def test_a_metric_on_a_page() -> None:
    page = METRICS.read_text()
    assert of_page(page, "dropped_total", {}) == 12
    assert of_page(page, "dropped_total", {"queue": "raw"}) == 7
    assert of_page(page, "dropped_total", {"why": 'a "b", c'}) == 3
    assert of_page(page, "dropped", {}) is None
    assert of_page(page, "bad", {}) is None
    assert of_page(page, "dropped_total", {"queue": "x"}) is None


def test_a_number_in_a_document() -> None:
    text = '{"a": {"b": [1, 2.5]}, "c": "4", "d": true, "e": null}'
    assert [of_json(text, at) for at in ("a.b.1", "a.b.-1", "c", "d", "e", "a", "a.b.2", "x.y")] == [
        2.5, 2.5, 4.0, None, None, None, None, None,
    ]  # fmt: skip
    assert of_json('{"a": 1}\n{"a": 2}\n{"a": 3', "a") == 2
    assert of_json("rubbish", "a") is None


def test_metrics_of_a_process(launcher: Launcher, programs: Programs, tmp_path: Path) -> None:
    port = free_port()
    programs.start(program("http", "http", port, ready=http(port)))
    url = f"http://127.0.0.1:{port}"
    assert read(Metric(prometheus=f"{url}/metrics", name="dropped_total")) == 12
    assert read(Metric(json=f"{url}/status", at="queue.dropped")) == 7
    assert read(Metric(json=f"http://127.0.0.1:{free_port()}/status", at="a")) is None
    assert read(Metric(json=str(tmp_path / "missing.json"), at="a")) is None


def test_a_number_in_a_log_is_read_once_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    last, total = (MetricReader(Metric(log=str(path), pattern=r"dropped=(\d+)", total=each)) for each in (False, True))

    def both() -> tuple[float | None, float | None]:
        return asyncio.run(last.read()), asyncio.run(total.read())

    assert both() == (None, None)
    path.write_text("begun\ndropped=3\ndropped=4\ndropp")
    assert both() == (4, 7)
    assert both() == (4, 7)
    with path.open("a") as file:
        file.write("ed=10\n")
    assert both() == (10, 17)
    path.write_text("dropped=1\n")
    assert both() == (1, 18)


def test_a_number_that_was_cut_in_half_is_not_one(launcher: Launcher, tmp_path: Path) -> None:
    path = tmp_path / "b.log"
    child: Child = launcher.start(program("halves", "halves", path))
    until(lambda: path.exists() and path.read_text().endswith("dropp"))
    assert read(Metric(log=str(path), pattern=r"dropp(?:ed)?=?(\d*)")) == 3
    assert child.exit() is None


def test_looking_for_whom_a_port_belongs_to_blocks_nothing_else(
    background: Background, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    programs.start_all([program("a", "http", port, ready=http(port))])
    meanwhile, others_went_on = threading.Event(), list[bool]()

    def listens(process: int, port: int) -> bool:
        background.submit(note())
        others_went_on.append(meanwhile.wait(5.0))
        return True

    async def note() -> None:
        meanwhile.set()

    monkeypatch.setattr(probes, "listens", listens)
    assert look(background, http(port, 10.0), Subject(process=programs.processes()["a"], port=port)).green
    assert others_went_on == [True]


@pytest.mark.parametrize(("what", "grace_s"), [(("polite", "{log}"), 10.0), (("deaf",), 0.1)])
def test_a_program_is_asked_to_stop_and_not_waited_for(
    programs: Programs, tmp_path: Path, what: tuple[str, ...], grace_s: float
) -> None:
    """Its end is expected from then on; one that does not end is killed after its grace."""
    log = tmp_path / "stopped"
    words = [each.format(log=log) for each in what]
    programs.start(program("a", *words, grace_s=grace_s))
    (process,) = programs.processes().values()
    programs.ask_to_stop("a")
    assert not programs.is_stopped("a")
    until(lambda: programs.is_stopped("a"))
    assert (process.is_alive(), programs.gone(), programs.processes()) == (False, {}, {})
    assert log.exists() is (what[0] == "polite")
    assert programs.is_stopped("a")
