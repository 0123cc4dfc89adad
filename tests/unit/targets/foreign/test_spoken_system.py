"""A whole system in a process: what it answers and what it does not, its bodies, and runs against it."""

import json
import os
import selectors
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from protocol_server import Client

from soak.contract import Accepted, BusyError, Change, ChangeType, Refused, Snapshot
from soak.runner.cli import run_command
from soak.runner.targets.caller import ContractError
from soak.runner.targets.queue.foreign.claimed_bodies import ClaimedBodies
from soak.runner.targets.queue.foreign.spoken_child import Start
from soak.runner.targets.queue.foreign.spoken_system import SpokenError, SpokenSystem
from soak.runner.targets.queue.system_adapter.body_server import Execution

KIT = """
import os, sys, time
from soak import kit
log = []
def submit(key, payload):
    if key == "2": raise kit.Busy("full")
    if key == "3": raise ValueError("what?")
    if key == "4": os._exit(7)
    if key == "5": return False
    log.extend({"type": "enqueued", "at": float(n), "key": key, "task": n} for n in range(250 if key == "6" else 1))
    return 17 if key == "1" else None
def changes():
    global log
    found, log = log, []
    return found
"""
WHOLE = (
    KIT
    + "kit.serve(submit=submit, changes=changes, census=lambda: {'done': 3}, processes=lambda: {'w0': os.getpid()})\n"
)
BARE = KIT + "kit.serve(submit=submit, changes=changes)\n"


def start(directory: Path, program: str) -> SpokenSystem:
    (directory / "program.py").write_text(program)
    how = Start([sys.executable, "program.py"], os.environ, directory, directory / "submit.log")
    made: Any = None  # settings are for whoever starts it
    return SpokenSystem(made, lambda _: how)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[SpokenSystem]:
    system = start(tmp_path, WHOLE)
    yield system
    system.close()
    assert not psutil.pid_exists(system._child.id.pid)


def test_it_answers_what_the_contract_asks(system: SpokenSystem) -> None:
    assert system.enqueue("1", "{}") == Accepted(17)
    assert system.enqueue("9", "{}") == Accepted("9")
    assert system.enqueue("5", "{}") == Refused()
    with pytest.raises(BusyError):
        system.enqueue("2", "{}")
    assert system.snapshot() == Snapshot(done=3)
    assert system.changes() == [
        Change(ChangeType.ENQUEUED, 0, "1", 0.0),
        Change(ChangeType.ENQUEUED, 0, "9", 0.0),
    ]
    assert system.changes() == []
    assert system.processes() == {"w0": system._child.id.pid}
    system.stop()


def test_more_changes_than_fit_into_a_line(system: SpokenSystem) -> None:
    system.enqueue("6", "{}")
    assert [each.task_id for each in system.changes()] == list(range(250))


def test_an_answer_that_nobody_knows_and_a_process_that_dies(system: SpokenSystem) -> None:
    with pytest.raises(SpokenError, match="does not know whether it has accepted key 3: ValueError: what"):
        system.enqueue("3", "{}")
    with pytest.raises(SpokenError, match="exited with 7"):
        system.enqueue("4", "{}")
    with pytest.raises(SpokenError, match="exited with 7"):
        system.changes()


def test_what_a_program_has_no_function_for(tmp_path: Path) -> None:
    system = start(tmp_path, BARE)
    try:
        assert system.processes() == {}
        system.stop()
        with pytest.raises(
            SpokenError, match="gave no census: NotImplementedError: this program does not answer census"
        ):
            system.snapshot()
    finally:
        system.close()


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (KIT + "kit.serve(submit=submit)", "gives no account of its changes"),
        ('print(\'{"op": "ready", "version": 7, "account": true}\', flush=True)\ninput()', "it speaks version 7"),
        ("print('{}')", "said what is not an answer: '{}' is not a message of the protocol"),
        ("raise SystemExit('no')", "exited with 1: no"),
    ],
)
def test_one_that_is_not_a_whole_system(tmp_path: Path, program: str, words: str) -> None:
    with pytest.raises(SpokenError, match=words):
        start(tmp_path, program)


def test_what_it_prints_beside_answers_is_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    system = start(tmp_path, "print('hello')\nprint('again', flush=True)\n" + WHOLE)
    try:
        assert system.snapshot() == Snapshot(done=3)
    finally:
        system.close()
    words = "the process of submit printed what is passed over: 'hello' is not a message of the protocol"
    assert capsys.readouterr().err == f"{words} (send one JSON object in each line)\n"


# Bodies.


class Bodies:
    """A server of bodies, whose events are handled when they are asked for."""

    def __init__(self, directory: Path) -> None:
        self.selector = selectors.DefaultSelector()
        self.server = ClaimedBodies(directory / "s", self.selector)
        self.executions: list[Execution] = []
        self.events: list[tuple[str, float]] = []
        self.server.answer(
            started=self.executions.append,
            ended=lambda execution, at: self.events.append((f"ended {execution.number}", at)),
            lost=lambda execution: self.events.append((f"lost {execution.number}", 0.0)),
        )
        environment = self.server.environment
        seen: Any = SimpleNamespace(server=SimpleNamespace(address=environment["SOAK_ADDRESS"]))
        self.client = Client(seen)
        token = environment["SOAK_TOKEN"]
        self.client.say(op="hello", version=1, token=token, worker="w0")

    def handle(self, rounds: int = 5) -> None:
        for _ in range(rounds):
            for key, _ in self.selector.select(0.05):
                key.data()

    def close(self) -> None:
        self.client.close()
        self.handle()
        self.server.close()
        self.selector.close()


@pytest.fixture
def bodies(tmp_path: Path) -> Iterator[Bodies]:
    found = Bodies(tmp_path)
    yield found
    found.close()


def test_bodies_are_known_by_what_they_claim_and_when(bodies: Bodies) -> None:
    bodies.client.start(6, id="a", attempt=3, worker="w1", at=1000.5)
    bodies.client.start(8, id="b", attempt=1)
    bodies.handle()
    assert [(each.number, each.attempt, each.worker) for each in bodies.executions] == [(6, 3, "w1"), (8, 1, "w0")]
    assert bodies.executions[0].started_at == 1000.5
    bodies.server.finish(bodies.executions[0], end="ok", tokens=5)
    assert [bodies.client.hear()["op"] for _ in range(2)] == ["welcome", "finish"]
    bodies.client.say(op="ended", id="a", at=1001.5)
    bodies.handle()
    bodies.client.close()
    bodies.handle()
    assert bodies.events == [("ended 6", 1001.5), ("lost 8", 0.0)]
    assert all(each.over for each in bodies.executions)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "the body of task 6 does not say which attempt it is"),
        ({"own": True, "attempt": 1}, "does work of its own"),
    ],
)
def test_a_body_that_does_not_say_which_attempt_it_is_breaks_the_contract(
    bodies: Bodies, more: dict[str, Any], words: str
) -> None:
    bodies.client.start(6, **more)
    with pytest.raises(ContractError, match=words):
        bodies.handle()


def test_mistakes_of_clients_are_remarked_at_the_end(bodies: Bodies, capsys: pytest.CaptureFixture[str]) -> None:
    bodies.client.say(op="ended")
    bodies.client.say(op="ended")
    bodies.handle()
    bodies.server.close()
    assert "reported an end without a start" in capsys.readouterr().err


# Runs.

SCENARIO = """
version: 1
name: whole
system: queue
duration: 2m
drain: 1m
seed: 5
workload:
  arrivals: {process: constant, rate: 60/min}
  task: {duration: {distribution: constant, value: 2s}}
queue:
  workers: 4
  poll_interval: 1s
  retry: {max_attempts: 3, backoff: [5s]}
faults:
  - {name: flaky, type: transient_error, rate: 15%, errors: [network]}
  - {name: twice, type: duplicate_enqueue, rate: 10%}
telemetry: {sample_interval: 10s, max_gap: 30m, max_lag: 30m}
slos: [success_rate >= 90%, duplicate_executions == 0, backoff_violations == 0, excess_attempts == 0, lost_tasks == 0]
"""
SYSTEM = """
import json, os, threading, time
from soak import kit
settings, lock, tasks, log, active = kit.settings(), threading.Lock(), [], [], set()
def tell(type, task, **more):
    log.append({"type": type, "at": time.time(), "task": task["id"], "key": task["key"], "attempt": task["attempt"], **more})
def submit(key, payload):
    with lock:
        if key in active:
            log.append({"type": "skipped", "at": time.time(), "key": key})
            return False
        if DIES and len(tasks) > 30: os._exit(3)
        task = {"id": len(tasks), "key": key, "payload": payload, "state": "pending", "attempt": 0, "due": 0.0}
        tasks.append(task)
        active.add(key)
        tell("enqueued", task)
        return task["id"]
def changes():
    global log
    with lock:
        found, log = log, []
        return found
def census():
    with lock:
        states = [task["state"] for task in tasks]
        return {state: states.count(state) for state in set(states)}
def claim(worker):
    with lock:
        for task in tasks:
            if task["state"] == "pending" and task["due"] <= time.time():
                task["state"], task["attempt"] = "in_progress", task["attempt"] + 1
                tell("dispatched", task, worker=worker)
                return task
def end(task, state, worker, **more):
    with lock:
        task["state"] = "pending" if state == "retry" else state
        task["due"] = more.get("due", 0.0)
        tell(state, task, worker=worker, **more)
def work(worker):
    while True:
        task = claim(worker)
        if task is None:
            time.sleep(0.005)
            continue
        try:
            kit.attempt(task["payload"], attempt=task["attempt"], worker=worker)
            end(task, "done", worker)
        except kit.TransientError as error:
            if task["attempt"] < settings.max_attempts:
                wait = settings.backoff_s[min(task["attempt"], len(settings.backoff_s)) - 1]
                end(task, "retry", worker, due=time.time() + wait, error=str(error))
            else:
                end(task, "failed", worker, error=str(error))
for n in range(settings.workers):
    threading.Thread(target=work, args=(f"w{n}",), daemon=True).start()
kit.serve(submit=submit, changes=changes, census=census)
"""


def run(directory: Path, *, dies: bool) -> int:
    """Soak the system; returns the exit code."""
    (directory / "scenario.yaml").write_text(SCENARIO)
    (directory / "system.py").write_text(f"DIES = {dies}\n{SYSTEM}")
    target = {"name": "whole-system", "submit": {"process": "{python} system.py"}, "account": True}
    (directory / "target.yaml").write_text(json.dumps(target))
    words = "--target", str(directory / "target.yaml"), "--speed", "40", "--out", str(directory / "run")
    return run_command(["run", str(directory / "scenario.yaml"), *words])


def test_a_whole_system_is_soaked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, dies=False)  # on a busy machine it is INCONCLUSIVE
    said = capsys.readouterr()
    objectives = json.loads((tmp_path / "run" / "verdict.json").read_text())["objectives"]
    assert [each["status"] for each in objectives] == ["PASS"] * 5, said.out
    assert "120 tasks: 120 DONE" in said.out
    assert run_command(["verify", str(tmp_path / "run")]) == 0


def test_a_whole_system_that_dies_ends_the_run_with_what_was_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(tmp_path, dies=True)
    said = capsys.readouterr()
    assert code == 1
    assert "whole-system.enqueue raised SpokenError: exited with 3" in said.err
    assert json.loads((tmp_path / "run" / "verdict.json").read_text())["verdict"] != "PASS"
