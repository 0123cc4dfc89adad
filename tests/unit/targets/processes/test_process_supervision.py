"""Our supervisor, watching others' processes, and the ends of whole trees: of tiny real processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from servers import free_port, until

from soak.runner.targets.offspring import Offspring, offspring_ended
from soak.runner.targets.processes import watching
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.ending import kill, kill_tree, send, stop_tree
from soak.runner.targets.processes.finding import find, is_still
from soak.runner.targets.processes.identity import ProcessId, process_id, stat, tree
from soak.runner.targets.processes.launch import Launcher
from soak.runner.targets.processes.managed import State
from soak.runner.targets.processes.orphans import orphans
from soak.runner.targets.processes.ports import is_taken, listeners, listens
from soak.runner.targets.processes.probes import Subject, probe
from soak.runner.targets.processes.rounds import BUSY, DOWN, STOPPED, Round, Rounds
from soak.runner.targets.processes.supervising import Policy, Report, Supervisor, What, When
from soak.runner.targets.processes.watching import Sight, Watcher, started_at
from soak.schemas.target.model import Find, Kill, Killed, Probe, ProbeKind, Process, Program, Stop

TINY = Path(__file__).with_name("tiny.py")
POLICY = Policy(
    when=When.FAILURE,
    backoff_s=lambda n: 0.05 * 2 ** (n - 1),
    max_restarts=3,
    within_s=60.0,
    reset_after_s=60.0,
    start_timeout_s=20.0,
    health_every_s=0.2,
    grace_s=10.0,
    order=(),
)


def program(name: str, *words: object, after: tuple[str, ...] = ()) -> Program:
    command = " ".join([sys.executable, str(TINY), *map(str, words)])
    return Program(name, command, ".", {}, after, None, Stop())


def process(
    name: str,
    *words: object,
    after: tuple[str, ...] = (),
    find: Find | None = None,
    ready: Probe | None = None,
    live: Probe | None = None,
    grace_s: float | None = None,
) -> Process:
    own = program(name, *words, after=after)
    return Process(name, own, find, ready, live or ready, Stop(grace_s=grace_s), Kill(), None, {})


def fresh(path: Path, fresh_s: float | None = None) -> Probe:
    return Probe(ProbeKind.FILE, str(path), 2.0, fresh_s=fresh_s)


@pytest.fixture(autouse=True)
def offspring() -> Iterator[Offspring]:
    with offspring_ended("the test") as found:
        yield found


@pytest.fixture
def background() -> Iterator[Background]:
    with Background() as found:
        yield found


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    found = Launcher(tmp_path, tmp_path, {})
    yield found
    found.end_all()


@dataclass
class Run:
    """A supervisor, and what it reported."""

    launcher: Launcher
    background: Background
    reports: list[Report] = field(default_factory=list)
    supervisor: Supervisor = field(init=False)

    def begin(self, *processes: Process, policy: Policy = POLICY) -> "Run":
        self.supervisor = Supervisor(processes, policy, self.launcher, self.background, self.reports.append)
        return self

    def until(self, what: What, name: str = "", times: int = 1) -> Report:
        def seen() -> Report | None:
            self.supervisor.poll()
            found = self.of(what, name)
            return found[times - 1] if len(found) >= times else None

        found = until(seen, 20.0)
        assert found
        return found

    def of(self, what: What, name: str = "") -> list[Report]:
        return [each for each in self.reports if each.what is what and each.name == name]

    def stopped(self) -> list[str]:
        self.supervisor.stop()
        until(lambda: self.supervisor.poll() or self.supervisor.is_stopped, 20.0)
        return [each.name for each in self.reports if each.what is What.STOPPED]


@pytest.fixture
def run(launcher: Launcher, background: Background) -> Iterator[Run]:
    found = Run(launcher, background)
    yield found
    found.supervisor.end_now()


# Our supervisor.


def test_processes_start_when_those_they_wait_for_are_ready(run: Run, tmp_path: Path) -> None:
    ready = fresh(tmp_path / "beat")
    run.begin(process("b", "sleep", after=("a",)), process("a", "write", tmp_path / "beat", ready=ready))
    run.until(What.READY, "b")
    told = [(each.what, each.name) for each in run.reports if each.what in {What.STARTED, What.READY}]
    assert told == [(What.STARTED, "a"), (What.READY, "a"), (What.STARTED, "b"), (What.READY, "b")]
    assert run.supervisor.is_ready


def test_a_killed_process_is_restarted_after_a_backoff_that_grows(run: Run) -> None:
    run.begin(process("a", "sleep"))
    for number in (1, 2, 3):
        process_id = run.until(What.READY, "a", number).process
        assert process_id
        assert kill(process_id, Kill())
        end = run.until(What.EXITED, "a", number)
        assert (end.exit, end.backoff_s, end.count) == (-9, 0.05 * 2 ** (number - 1), number - 1)
        start = run.until(What.STARTED, "a", number + 1)
        assert start.at - end.at >= 0.05 * 2 ** (number - 1)
        assert start.process != process_id
    assert run.supervisor.restarts("a") == 3


def test_too_many_restarts_and_it_is_given_up(run: Run) -> None:
    run.begin(process("a", "end", 3), process("b", "sleep"))
    given_up = run.until(What.ABANDONED, "a")
    assert (given_up.count, given_up.exit) == (3, 3)
    assert len(run.of(What.EXITED, "a")) == 4
    run.until(What.PROBED, "a")
    probed = run.of(What.PROBED, "a")
    assert not any(each.green for each in probed)
    assert (run.supervisor.state("a"), run.supervisor.state("b")) == (State.ABANDONED, State.READY)
    assert not run.supervisor.is_ready


def test_a_row_of_restarts_ends_with_health(run: Run) -> None:
    run.begin(process("a", "sleep"), policy=replace(POLICY, reset_after_s=0.3))
    for number in (1, 2):
        ready = run.until(What.READY, "a", number)
        until(lambda at=ready.at: run.supervisor.poll() or time.time() - at > 0.4)  # type: ignore[misc]
        assert ready.process
        kill(ready.process, Kill())
        assert run.until(What.EXITED, "a", number).backoff_s == 0.05


@pytest.mark.parametrize(
    ("when", "code", "again"),
    [
        (When.FAILURE, 0, False),
        (When.FAILURE, 1, True),
        (When.ALWAYS, 0, True),
        (When.NEVER, 1, False),
    ],
)
def test_what_is_restarted(run: Run, when: When, code: int, again: bool) -> None:
    run.begin(process("a", "end", code), policy=replace(POLICY, when=when))
    end = run.until(What.EXITED, "a")
    assert (end.exit, end.backoff_s is not None) == (code, again)
    assert run.supervisor.state("a") is (State.WAITING if again else State.STOPPED)


def test_a_process_that_is_not_ready_in_time_is_a_failure(run: Run, tmp_path: Path) -> None:
    late = process("a", "sleep", ready=fresh(tmp_path / "never"))
    run.begin(late, policy=replace(POLICY, start_timeout_s=0.2, max_restarts=1))
    run.until(What.ABANDONED, "a")
    ends = run.of(What.EXITED, "a")
    assert [(each.exit, each.reason) for each in ends] == [(-9, "was not ready within 0.2 s")] * 2


def test_a_process_that_is_never_found_is_said_to_be(run: Run, tmp_path: Path) -> None:
    hidden = process("a", "sleep", find=Find(pid_file=str(tmp_path / "never")))
    run.begin(hidden, policy=replace(POLICY, start_timeout_s=0.2, max_restarts=0))
    run.until(What.ABANDONED, "a")
    reason = run.of(What.EXITED, "a")[0].reason
    assert reason == "was not ready within 0.2 s: it was not found (correct its find:)"


def test_a_command_that_vanished_is_a_failure_in_words(run: Run) -> None:
    gone = process("a")
    assert gone.program
    gone = replace(gone, program=replace(gone.program, command="no-such-command-here"))
    run.begin(gone, policy=replace(POLICY, max_restarts=1))
    run.until(What.ABANDONED, "a")
    said = "a: 'no-such-command-here' cannot be started: No such file or directory (correct its command or directory)"
    assert [each.reason for each in run.of(What.EXITED, "a")] == [said] * 2
    assert run.of(What.STARTED, "a") == []


def test_a_process_that_forks_away_is_found_killed_and_restarted(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.pid"
    run.begin(process("a", "daemon", path, find=Find(pid_file=str(path))))
    first = run.until(What.READY, "a").process
    assert first
    assert first.pid == int(path.read_text())
    kill(first, Kill())
    assert run.until(What.EXITED, "a").exit is None
    second = run.until(What.READY, "a", 2).process
    assert second
    assert second != first
    run.stopped()
    assert not second.is_alive()


def test_what_a_process_leaves_in_its_session_does_not_keep_its_place(run: Run, offspring: Offspring) -> None:
    run.begin(process("a", "leave"), policy=replace(POLICY, max_restarts=1))
    run.until(What.ABANDONED, "a")
    until(lambda: not offspring.alive())


def test_probes_that_stay_red_are_a_failure_where_the_policy_says_so(run: Run, tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    run.begin(
        process("a", "write", beat, ready=fresh(beat), live=fresh(beat, 0.3)),
        policy=replace(POLICY, unhealthy_after=2),
    )
    hung = run.until(What.READY, "a").process
    assert hung
    send(hung, signal.SIGSTOP)
    end = run.until(What.EXITED, "a")
    assert end.exit == -9
    assert end.reason.startswith("2 probes in a row were red: beat was written to")
    run.until(What.READY, "a", 2)


def test_shutdown_is_in_order_and_who_is_deaf_is_killed(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "order"
    run.begin(
        *(process(name, "polite", log) for name in ("a", "b", "c")),
        process("deaf", "deaf", grace_s=0.3),
        policy=replace(POLICY, order=("b", "deaf", "c", "a")),
    )
    for name in ("a", "b", "c", "deaf"):
        run.until(What.READY, name)
    pids = {name: run.supervisor.current(name) for name in ("a", "b", "c")}
    time.sleep(0.5)
    assert run.stopped() == ["b", "deaf", "c", "a"]
    assert [each.green for each in run.reports if each.what is What.STOPPED] == [True, False, True, True]
    assert log.read_text().split() == [str(pids[name].pid) for name in ("b", "c", "a")]  # type: ignore[union-attr]
    asked = {each.name: each.at for each in run.reports if each.what is What.STOPPING}
    ended = {each.name: each.at for each in run.reports if each.what is What.STOPPED}
    assert asked["c"] >= ended["deaf"] >= asked["deaf"] >= ended["b"]


def test_nothing_is_restarted_once_the_shutdown_began(run: Run) -> None:
    run.begin(process("a", "end", 1), process("b", "sleep"), policy=replace(POLICY, backoff_s=lambda n: 0.5))
    run.until(What.READY, "b")
    run.until(What.EXITED, "a")
    assert run.stopped() == ["b"]
    assert len(run.of(What.STARTED, "a")) == 1


# Health rounds.


def rounds_of(background: Background, current: Callable[[str], ProcessId | None], how: Probe | None) -> Rounds:
    return Rounds(background, {"a": how}, 0.1, time.monotonic(), current, lambda name: Subject())


def answers(rounds: Rounds, count: int) -> list[Round]:
    found: list[Round] = []
    until(lambda: found.extend(rounds.poll()) or len(found) >= count, 10.0)
    return found


def test_a_process_that_is_down_or_stopped_is_red(background: Background, launcher: Launcher) -> None:
    assert {each.reason for each in answers(rounds_of(background, lambda _: None, None), 2)} == {DOWN}
    child = launcher.start(program("a", "sleep"))
    rounds = rounds_of(background, lambda _: child.id, None)
    assert answers(rounds, 1)[-1].green
    send(child.id, signal.SIGSTOP)
    until(lambda: answers(rounds, 1)[-1].reason == STOPPED)


def test_rounds_are_at_multiples_and_a_slow_probe_holds_up_no_other(background: Background, launcher: Launcher) -> None:
    child = launcher.start(program("a", "sleep"))
    slow = Probe(ProbeKind.EXEC, "sleep 60", 5.0)
    rounds = Rounds(
        background, {"slow": slow, "a": None}, 0.1, time.monotonic(), lambda _: child.id, lambda _: Subject()
    )
    found = answers(rounds, 9)
    assert [each.green for each in found if each.name == "a"] == [True] * len(
        [each for each in found if each.name == "a"]
    )
    assert {each.reason for each in found if each.name == "slow"} <= {BUSY, "no answer within 0.08 s"}
    numbers = [each.number for each in found if each.name == "a"]
    assert numbers == sorted(set(numbers))


# Others' processes.


def test_others_processes_are_followed_through_restarts(background: Background, tmp_path: Path) -> None:
    path = tmp_path / "a.pid"
    words = [sys.executable, str(TINY), "daemon", str(path)]
    watcher = Watcher(background, {"a": Find(pid_file=str(path))})
    seen: list[Any] = []

    def see(count: int) -> None:
        until(lambda: seen.extend(watcher.poll()) or len(seen) >= count, 10.0)

    assert watcher.poll() == []
    for number in (1, 2):
        before = time.time()
        subprocess.run(words, check=True)
        see(2 * number - 1)
        process = watcher.current("a")
        assert process
        assert before - 0.1 < seen[-1].at == pytest.approx(started_at(process), abs=0.05)
        kill(process, Kill())
        see(2 * number)
        assert watcher.current("a") is None
    assert [each.change for each in seen] == [Sight.STARTED, Sight.ENDED] * 2
    assert [each.at for each in seen] == sorted(each.at for each in seen)
    assert seen[0].process != seen[2].process


def test_a_process_that_is_replaced_while_it_lives_is_noted(
    background: Background, launcher: Launcher, tmp_path: Path
) -> None:
    path = tmp_path / "a.pid"
    watcher = Watcher(background, {"a": Find(pid_file=str(path))})
    first, second = (launcher.start(program(name, "sleep")) for name in "ab")
    path.write_text(str(first.id.pid))
    until(lambda: watcher.poll() or watcher.current("a") == first.id)
    path.write_text(str(second.id.pid))
    until(lambda: watcher.poll() or watcher.current("a") == second.id)
    assert watcher.replaced == [("a", first.id)]


@pytest.mark.parametrize("pid", [1, os.getppid(), os.getpid()], ids=["init", "parent", "own"])
def test_a_pid_file_never_means_what_soak_descends_from(tmp_path: Path, pid: int) -> None:
    (tmp_path / "a.pid").write_text(str(pid))
    assert find(Find(pid_file=str(tmp_path / "a.pid"))) is None


def test_an_end_that_is_seen_late_comes_before_the_start_that_followed(
    background: Background, launcher: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_SEEN_WITHIN_S", 60.0)
    path = tmp_path / "a.pid"
    watcher = Watcher(background, {"a": Find(pid_file=str(path))})
    first = launcher.start(program("a", "sleep"))
    path.write_text(str(first.id.pid))
    until(lambda: watcher.poll() or watcher.current("a") == first.id)
    # The second is there when the end of the first is seen.
    second, seen = launcher.start(program("b", "sleep")), list[Any]()
    path.write_text(str(second.id.pid))
    kill(first.id, Kill())
    until(lambda: seen.extend(watcher.poll()) or len(seen) == 2)
    assert [(each.process, each.change) for each in seen] == [(first.id, Sight.ENDED), (second.id, Sight.STARTED)]
    assert seen[0].at == seen[1].at > started_at(second.id)
    assert watcher.replaced == []


# Ends.


def test_a_signal_never_hits_another_process_with_the_same_id(launcher: Launcher) -> None:
    child = launcher.start(program("a", "sleep"))
    other = ProcessId(child.id.pid, child.id.started_ticks + 1)
    assert not send(other, signal.SIGKILL)
    assert kill_tree(other) == []
    assert child.exit() is None
    assert send(child.id, signal.SIGKILL)
    assert child.wait(10.0) == -9
    assert not child.id.is_alive()
    assert process_id(child.id.pid) is None


@pytest.mark.parametrize(("of", "left"), [(Killed.PROCESS, 2), (Killed.GROUP, 1), (Killed.TREE, 0)])
def test_what_a_kill_strikes(launcher: Launcher, of: Killed, left: int) -> None:
    child = launcher.start(program("a", "family"))
    family = until(lambda: found if len(found := tree(child.id.pid)) == 3 else None)
    assert family
    assert kill(child.id, Kill(of))
    child.wait(10.0)
    until(lambda: sum(each.is_alive() for each in family) == left)
    assert [each.is_alive() for each in family] == [False] * (3 - left) + [True] * left
    for each in family:
        send(each, signal.SIGKILL)


def test_a_kill_by_a_command(launcher: Launcher) -> None:
    child = launcher.start(program("a", "sleep"))
    assert kill(child.id, Kill(command="kill -9 {pid}"))
    assert child.wait(10.0) == -9
    assert not kill(child.id, Kill(command="no-such-command-here"))


def test_a_stopped_tree_is_stopped_with_those_that_lost_their_parent(launcher: Launcher) -> None:
    child = launcher.start(program("a", "family"))
    family = until(lambda: found if len(found := tree(child.id.pid)) == 3 else None)
    assert family
    send(child.id, signal.SIGSTOP)
    assert stop_tree(child.id, Stop(), 5.0)
    until(lambda: not any(each.is_alive() for each in family))


def test_who_is_left_and_keeps_a_port_is_named(launcher: Launcher, offspring: Offspring) -> None:
    port = free_port()
    child = launcher.start(program("a", "http", port))
    until(lambda: orphans(offspring.alive(), {"health": port})[0].ports)
    (found,) = orphans(offspring.alive(), {"health": port, "other": free_port()})
    assert (found.process, found.ports) == (child.id, ("health",))
    assert "tiny.py http" in found.command_line
    assert str(found).endswith(f" {child.id.pid}, which keeps port health")
    launcher.end_all()
    assert orphans(offspring.alive(), {"health": port}) == []


RUNNER = """
import sys, time
from pathlib import Path
from soak.runner.targets.offspring import offspring_ended
from soak.runner.targets.processes.launch import Launcher
from soak.schemas.target.model import Program, Stop
here = Path(sys.argv[1])
with offspring_ended("it"):
    launcher = Launcher(here, here, {})
    for words in sys.argv[2:]:
        launcher.start(Program(words.split()[-1], words, ".", {}, (), None, Stop()))
    print("started", flush=True)
    time.sleep(600)
"""


def test_a_killed_runner_leaves_nothing_behind(tmp_path: Path) -> None:
    pid_file = tmp_path / "daemon"
    words = [f"{sys.executable} {TINY} {what}" for what in ("family", "deaf", f"daemon {pid_file}")]
    command = [sys.executable, "-c", RUNNER, str(tmp_path), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as runner:
        assert runner.stdout
        assert runner.stdout.readline() == b"started\n"
        until(pid_file.exists)
        family = until(lambda: found if len(found := tree(runner.pid)) >= 5 else None)
        assert family
        daemon = process_id(int(until(pid_file.read_text)))
        assert daemon
        assert stat(daemon.pid)
        os.kill(runner.pid, signal.SIGKILL)
    until(lambda: not any(each.is_alive() for each in [*family, daemon]), 20.0)


# Ports that others have.


def serving(port: int) -> Process:
    """A process that serves at a port."""
    probe = Probe(ProbeKind.HTTP, f"http://127.0.0.1:{port}/", 2.0)
    return replace(process("a", "http", port, ready=probe), port=str(port))


def test_a_process_whose_port_is_taken_fails_until_it_is_free(run: Run, launcher: Launcher) -> None:
    port = free_port()
    other = launcher.start(program("other", "http", port))
    until(lambda: is_taken(port))
    run.begin(serving(port), policy=replace(POLICY, max_restarts=20, backoff_s=lambda _: 0.1))
    run.until(What.EXITED, "a", 2)
    assert run.of(What.READY, "a") == [], "what answers at the port is another process"
    kill_tree(other.id)
    own = run.until(What.READY, "a").process
    assert own
    assert listens(own.pid, port)


def test_a_probe_that_another_process_answers_is_red(background: Background, launcher: Launcher) -> None:
    port = free_port()
    other = launcher.start(program("other", "http", port))
    until(lambda: is_taken(port))
    time.sleep(0.05)
    own = launcher.start(program("a", "sleep"))
    how = Probe(ProbeKind.TCP, str(port), 2.0)
    said = background.run(probe(how, Subject(process=own.id, port=port)), 5.0)
    assert (said.green, said.reason) == (False, "another process has its port")
    assert background.run(probe(how, Subject(process=other.id, port=port)), 5.0).green
    assert background.run(probe(how, Subject()), 5.0).green


def test_a_port_may_be_served_by_what_a_process_has_started(launcher: Launcher) -> None:
    port = free_port()
    shell = Program("a", f"sh -c '{sys.executable} {TINY} http {port}; true'", ".", {}, (), None, Stop())
    parent = launcher.start(shell)
    until(lambda: listens(parent.id.pid, port))
    assert not listens(os.getpid() + 4_000_000, port)


def test_a_process_that_is_found_is_looked_at_cheaply(launcher: Launcher, tmp_path: Path) -> None:
    port, path = free_port(), tmp_path / "a.pid"
    child = launcher.start(program("a", "http", port))
    path.write_text(str(child.id.pid))
    until(lambda: is_taken(port))
    for how in (Find(pid_file=str(path)), Find(command_line=f"http {port}$"), Find(port=str(port))):
        assert is_still(how, child.id)
    for how in (Find(pid_file=str(tmp_path / "b")), Find(command_line="http 1$"), Find(port=str(free_port()))):
        assert not is_still(how, child.id)


def test_soak_itself_is_never_found_nor_killed() -> None:
    own = process_id(os.getpid())
    assert own
    parent = process_id(os.getppid())
    assert parent
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert [each.id for each in listeners(port)] == [own]
        assert find(Find(port=str(port))) is None, "what keeps a port from others is not the process that is meant"
    assert not send(own, signal.SIGUSR2)
    assert kill_tree(own) == []
    assert kill_tree(parent) == []
    assert not kill(own, Kill(Killed.TREE))
    assert not kill(own, Kill(Killed.GROUP))
