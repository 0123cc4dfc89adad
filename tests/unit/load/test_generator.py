"""Load that is really sent: what was planned, when it was due, whatever the number of processes and whatever the service does."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from load_runs import Told, planned, run
from load_server import Asked, order_of, plan_of, serving
from servers import free_port, until

from soak.runner.http import Inputs
from soak.runner.load.generator import Generator
from soak.runner.load.options import Options
from soak.schemas.errors import SoakError, UsageError
from soak.schemas.stream.block import tick
from soak.schemas.stream.events import Kind

ARRIVALS = """
duration: 2s
drain: 1s
workload: {arrivals: {rate: 150/s}, task: {request: {path: /fine}}}
telemetry: {sample_interval: 500ms}
"""
USERS = """
duration: 2s
drain: 1s
workload:
  users: {count: 8, think: {distribution: exponential, mean: 100ms}}
  tenants: [{name: a, share: 50%}, {name: b, share: 50%}]
  kinds:
    - {name: one, share: 50%, request: {path: "/{tenant}/{kind}/{user}"}}
    - {name: two, share: 50%, request: {path: "/{kind}"}}
"""
TWO = Options(processes=2)


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[str, Asked]]:
    with serving() as found:
        yield found


@pytest.fixture(scope="module")
def alone(service: tuple[str, Asked], tmp_path_factory: pytest.TempPathFactory) -> Told:
    directory = tmp_path_factory.mktemp("alone")
    plan = plan_of(directory, ARRIVALS)
    return run(plan, order_of(plan, service[0]), directory)


def test_arrivals_are_sent_when_the_plan_says(alone: Told) -> None:
    assert alone.due() == {number: tick(due_s) for number, due_s in planned(alone.plan).items()}
    assert alone.plan.planned == len(alone.due()) > 200
    assert set(alone.times(Kind.TASK_DONE)) == set(alone.due())
    begun = alone.times(Kind.TASK_DISPATCHED)
    assert all(begun[number] >= due_s for number, due_s in alone.due().items())


def test_the_process_tells_of_itself(alone: Told) -> None:
    joined, cpu, lag = (
        alone.of(kind) for kind in (Kind.LOAD_WORKER_JOINED, Kind.SAMPLE_LOAD_CPU, Kind.SAMPLE_LOAD_LAG)
    )
    assert joined.t.tolist() == [0.0]
    assert [alone.plan.vocabulary.names[int(name)] for name in joined.value] == alone.names == ["load0"]
    assert len(cpu) == len(lag) >= 3
    assert all(0 < value < 1.5 for value in cpu.value.tolist())
    assert all(value > 0 for value in lag.value.tolist())


def test_two_workers_send_the_same_requests_as_one_process(
    alone: Told, service: tuple[str, Asked], tmp_path: Path
) -> None:
    plan = plan_of(tmp_path, ARRIVALS)
    told = run(plan, order_of(plan, service[0]), tmp_path, TWO)
    assert told.due() == alone.due()
    assert sorted(told.of(Kind.LOAD_WORKER_JOINED).worker.tolist()) == [0, 1]
    assert sorted(told.names) == ["load0", "load1"]
    assert set(told.times(Kind.TASK_DONE)) == set(told.due())


def test_users_take_turns_by_the_plan_and_their_own_connections(service: tuple[str, Asked], tmp_path: Path) -> None:
    url, asked = service
    plan = plan_of(tmp_path, USERS)
    before, before_paths = asked.connections, Counter(asked.paths)
    told = run(plan, order_of(plan, url), tmp_path)
    users = plan.again().users
    assert users
    due, ended = told.due(), told.times(Kind.TASK_DONE)
    firsts = {first[1]: first[0] for user in range(8) if (first := users.first(user))}
    for number, due_s in due.items():
        last = number - (8 << 1)
        next_one = users.after(last, ended[last]) if last >= 0 else None
        assert due_s == (next_one[0] if next_one else firsts[number])
    assert len(due) > 50
    assert asked.connections - before == 8
    assert plan.planned == len(due)
    # What was asked for is what the plan says of each task.
    expected = Counter[str]()
    for number in due:
        label = plan.vocabulary.labels[int(plan.labels_of(np.array([number]))[0])]
        expected[f"/{label.tenant}/one/{(number >> 1) % 8}" if label.kind == "one" else "/two"] += 1
    assert expected == asked.paths - before_paths


def test_each_user_has_cookies_of_its_own(service: tuple[str, Asked], tmp_path: Path) -> None:
    url, asked = service
    text = "duration: 1s\nworkload:\n  users: {count: 2, think: {distribution: constant, value: 400ms}}\n"
    plan = plan_of(tmp_path, f"{text}  task: {{request: {{path: /cookie}}}}\n")
    before = len(asked.headers)
    run(plan, order_of(plan, url), tmp_path)
    sent = [each.get("Cookie", "") for each in asked.headers[before:]]
    # Each sends what it was given last, and nothing at first.
    assert len(sent) >= 4
    assert sent[:2] == ["", ""]
    assert {*sent[2:4]} == {f"visit={before + 1}", f"visit={before + 2}"}


def test_a_service_that_stalls_cannot_hide_its_queue(tmp_path: Path) -> None:
    with serving() as (url, asked):
        plan = plan_of(tmp_path, ARRIVALS.replace("150/s", "40/s").replace("/fine", "/stalls"))

        def release(generator: Generator, now_s: float) -> None:
            if now_s >= 1.0:
                asked.stalled.set()

        # One request at a time: the next ones are sent late, and are due when they were due.
        told = run(plan, order_of(plan, url, most_open=1), tmp_path, meanwhile=release)
    assert told.due() == {number: tick(due_s) for number, due_s in planned(plan).items()}
    ended = told.times(Kind.TASK_DONE)
    early = [number for number, due_s in told.due().items() if due_s < 0.9]
    assert len(early) > 20
    assert all(ended[number] >= 1.0 for number in early)
    assert max(told.of(Kind.SAMPLE_LOAD_LAG).value.tolist()) > 0.5


def test_many_requests_are_open_at_once_where_arrivals_do_not_wait(tmp_path: Path) -> None:
    with serving() as (url, asked):
        plan = plan_of(tmp_path, ARRIVALS.replace("150/s", "40/s").replace("/fine", "/stalls"))
        most = 0

        def release(generator: Generator, now_s: float) -> None:
            nonlocal most
            most = max(most, generator.in_flight)
            if now_s >= 1.0:
                asked.stalled.set()

        told = run(plan, order_of(plan, url), tmp_path, meanwhile=release)
    assert most > 20
    assert len(told.times(Kind.TASK_DONE)) == len(planned(plan))
    assert max(told.of(Kind.SAMPLE_LOAD_LAG).value.tolist()) < 0.5


STOPPED = "workload: {arrivals: {rate: 5/s}, task: {request: {path: /}}}\n"
FAILURES = {
    "throttled": "/status/429",
    "server_error": "/status/503",
    "wrong_answer": "/status/404",
    "refused_redirect": "/status/302",
    "connection_error": "/breaks",
    "too_large": "/endless",
    "timeout": "/after/1.5",
}


def test_each_failure_has_its_word(service: tuple[str, Asked], tmp_path: Path) -> None:
    url, asked = service
    kinds = "\n".join(
        f"    - {{name: {name.replace('_', '-')}, share: {share}%, request: {{path: {path}}}}}"
        for (name, path), share in zip(FAILURES.items(), [15, 15, 15, 15, 15, 15, 10], strict=True)
    )
    plan = plan_of(
        tmp_path,
        f"duration: 1s\nhttp: {{max_body: 200kB, timeout: 400ms}}\nworkload:\n  arrivals: {{rate: 60/s}}\n  kinds:\n{kinds}\n",
    )
    before = asked.paths["/breaks"]
    told = run(plan, order_of(plan, url), tmp_path)
    errors = told.errors()
    assert set(errors) == set(told.due())
    for number, error in errors.items():
        assert error == plan.kind_of(number).replace("-", "_")
    assert set(errors.values()) == set(FAILURES)
    # Each request is sent once, also where its connection breaks.
    assert asked.paths["/breaks"] - before == list(errors.values()).count("connection_error")
    received = dict(zip(told.of(Kind.RESPONSE_RECEIVED).task, told.of(Kind.RESPONSE_RECEIVED).value, strict=True))
    assert {received.get(number, 0) for number, error in errors.items() if error == "throttled"} == {429}
    assert {number for number, error in errors.items() if error == "timeout"}.isdisjoint(received)
    late = [
        told.times(Kind.TASK_FAILED)[number] - told.due()[number]
        for number, error in errors.items()
        if error == "timeout"
    ]
    assert all(0.4 <= took_s < 1.4 for took_s in late)
    assert {each.error for each in told.details} == set(FAILURES)


def test_answers_without_end_and_broken_ones_stop_nobody(service: tuple[str, Asked], tmp_path: Path) -> None:
    kinds = "[{name: head, share: 40%, request: {path: /head}}, {name: cut, share: 60%, request: {path: /cut}}]"
    plan = plan_of(
        tmp_path, f"duration: 1s\nhttp: {{timeout: 3s}}\nworkload:\n  arrivals: {{rate: 20/s}}\n  kinds: {kinds}\n"
    )
    told = run(plan, order_of(plan, service[0]), tmp_path)
    wanted = {"head": "too_large", "cut": "connection_error"}
    errors = told.errors()
    assert errors == {number: wanted[plan.kind_of(number)] for number in planned(plan)}
    assert {each.reason for each in told.details} == {
        "the head of its answer is larger than 262.1kB",
        "its gzip ends too early",
    }


def test_a_killed_worker_is_an_event_and_the_others_do_its_share(service: tuple[str, Asked], tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ARRIVALS.replace("duration: 2s", "duration: 3s"))
    killed: list[int] = []

    def kill(generator: Generator, now_s: float) -> None:
        if now_s > 0.8 and not killed:
            killed.append(generator.pids["load1"])
            os.kill(killed[0], signal.SIGKILL)

    told = run(plan, order_of(plan, service[0]), tmp_path, TWO, meanwhile=kill)
    lost = told.of(Kind.LOAD_WORKER_LOST)
    assert lost.worker.tolist() == [told.names.index("load1")]
    due, plan_due = told.due(), planned(plan)
    assert set(due) == set(plan_due)
    gone_s = float(lost.t[0])
    moved = {number for number, due_s in due.items() if due_s != tick(plan_due[number])}
    # What was due while nobody had noticed came later, by as much for all.
    assert all(gone_s - 0.1 <= plan_due[number] < gone_s + 2 for number in moved)
    assert len({round(due[number] - plan_due[number], 4) for number in moved}) == 1
    last_s = max(due_s for number, due_s in plan_due.items() if number not in moved)
    assert last_s > gone_s + 1.5
    assert len(told.of(Kind.TASK_ENQUEUED)) == len(due)


def test_users_of_a_killed_worker_go_on(service: tuple[str, Asked], tmp_path: Path) -> None:
    plan = plan_of(tmp_path, USERS.replace("duration: 2s", "duration: 3s"))
    killed: list[int] = []

    def kill(generator: Generator, now_s: float) -> None:
        if now_s > 0.8 and not killed:
            killed.append(generator.pids["load0"])
            os.kill(killed[0], signal.SIGKILL)

    told = run(plan, order_of(plan, service[0]), tmp_path, TWO, meanwhile=kill)
    late = {(number >> 1) % 8 for number, due_s in told.due().items() if due_s > 2.0}
    assert late == set(range(8))
    sent = told.of(Kind.TASK_ENQUEUED).task.tolist()
    assert len(sent) == len(set(sent))


def test_a_worker_that_says_nothing_any_more_is_lost(
    service: tuple[str, Asked], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soak.runner.load.generator._SILENT_REAL_S", 1.0)
    plan = plan_of(tmp_path, USERS.replace("duration: 2s", "duration: 4s"))
    stopped: list[int] = []

    def stop(generator: Generator, now_s: float) -> None:
        if now_s > 0.5 and not stopped:
            stopped.append(generator.pids["load1"])
            os.kill(stopped[0], signal.SIGSTOP)

    told = run(plan, order_of(plan, service[0]), tmp_path, TWO, meanwhile=stop)
    assert len(told.of(Kind.LOAD_WORKER_LOST)) == 1
    assert {(number >> 1) % 8 for number, due_s in told.due().items() if due_s > 3.0} == set(range(8))
    assert not Path(f"/proc/{stopped[0]}").exists()


def test_at_a_higher_speed_everything_is_as_much_faster(service: tuple[str, Asked], tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ARRIVALS.replace("150/s", "20/s").replace("/fine", "/after/0.1"))
    told = run(plan, order_of(plan, service[0], 4.0), tmp_path)
    assert told.due() == {number: tick(due_s) for number, due_s in planned(plan).items()}
    ended = told.times(Kind.TASK_DONE)
    assert all(ended[number] - due_s >= 0.4 for number, due_s in told.due().items())


def test_without_any_process_the_run_fails(service: tuple[str, Asked], tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ARRIVALS)

    def kill(generator: Generator, now_s: float) -> None:
        if now_s > 0.3:
            os.kill(generator.pids["load0"], signal.SIGKILL)

    with pytest.raises(SoakError, match="load generator"):
        run(plan, order_of(plan, service[0]), tmp_path, meanwhile=kill)


RUNNER = """
import sys, time
from pathlib import Path
from load_server import order_of, plan_of
from soak.runner.load.generator import Generator
from soak.runner.load.options import Options
directory, url = Path(sys.argv[1]), sys.argv[2]
plan = plan_of(directory, (directory / "text.yaml").read_text())
generator = Generator(plan, order_of(plan, url), Options(processes=2), directory / "load.log")
generator.prepare()
generator.start(time.monotonic())
sys.stdout.write(" ".join(map(str, generator.pids.values())) + "\\n")
sys.stdout.flush()
time.sleep(60)
"""


def test_all_processes_end_with_the_runner(service: tuple[str, Asked], tmp_path: Path) -> None:
    (tmp_path / "text.yaml").write_text(ARRIVALS.replace("duration: 2s", "duration: 60s"))
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", RUNNER, str(tmp_path), service[0]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}) as runner:
        assert runner.stdout
        pids = [int(each) for each in runner.stdout.readline().split()]
        runner.kill()
    assert len(pids) == 3
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 5.0)


# Workers from elsewhere.


def worker(port: int, name: str, patience: str = "60s") -> "subprocess.Popen[str]":
    words = ["--master", f"127.0.0.1:{port}", "--name", name, "--patience", patience]
    command = [sys.executable, "-m", "soak", "locust-worker", *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_workers_that_were_started_by_hand_make_the_load(
    alone: Told, service: tuple[str, Asked], tmp_path: Path
) -> None:
    port = free_port()
    workers = [worker(port, name) for name in ("here", "there")]
    try:
        plan = plan_of(tmp_path, ARRIVALS)
        told = run(plan, order_of(plan, service[0]), tmp_path, Options(master=("127.0.0.1", port), expect=2))
        assert told.due() == alone.due()
        assert sorted(told.names) == ["here", "there"]
        assert [each.wait(10) for each in workers] == [0, 0]
        sent = 0
        for each, name in zip(workers, ("here", "there"), strict=True):
            assert each.stderr
            connected, begins, over = each.stderr.read().splitlines()
            assert connected == f"{name}: connected to 127.0.0.1:{port}, waiting for the run to begin"
            assert begins == f"{name}: the run begins"
            said = re.fullmatch(f"{name}: the run is over, ([0-9]+) requests sent", over)
            assert said
            sent += int(said[1])
        assert sent == len(told.due())
    finally:
        for each in workers:
            each.kill()
            each.communicate()


def test_too_few_workers_and_a_port_in_use_are_said_in_words(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ARRIVALS)
    port = free_port()
    options = Options(master=("127.0.0.1", port), expect=2, patience_s=0.3)
    with Generator(plan, order_of(plan, "http://127.0.0.1:1"), options, tmp_path / "log") as generator:
        with pytest.raises(UsageError, match=f"0 of 2 load workers came within 0.3 s .*:{port}"):
            generator.prepare()
        second = Generator(plan, order_of(plan, "http://127.0.0.1:1"), options, tmp_path / "log")
        with second, pytest.raises(UsageError, match=f"--locust-master: port {port} of 127.0.0.1 is in use"):
            second.prepare()


def test_waiting_for_workers_can_be_stopped(tmp_path: Path) -> None:
    text = f"version: 1\nname: stopped\nsystem: gateway\nduration: 1s\nhttp: {{url: URL}}\nslos: [success_rate >= 1%]\n{STOPPED}"
    with serving() as (url, _):
        (tmp_path / "stopped.yaml").write_text(text.replace("URL", url))
        port = str(free_port())
        command = [sys.executable, "-m", "soak", "run", "stopped.yaml", "--target", "http", "--out", "out"]
        command += ["--locust-master", f"127.0.0.1:{port}", "--expect-workers", "1"]
        run = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        try:
            assert run.stderr
            while "waiting for 1 load workers" not in run.stderr.readline():
                assert run.poll() is None
            run.send_signal(signal.SIGTERM)
            # Long before the minute is over in which workers may come.
            assert run.wait(30) == 130
        finally:
            run.kill()
            run.communicate()


def test_a_worker_without_a_master_says_so() -> None:
    alone = worker(free_port(), "lonely", "1s")
    try:
        _, said = alone.communicate(timeout=60)
        assert (alone.returncode, said.startswith("no master answers at 127.0.0.1:")) == (2, True)
    finally:
        alone.kill()


def test_secrets_travel_over_the_pipe_only(service: tuple[str, Asked], tmp_path: Path) -> None:
    url, asked = service
    text = ARRIVALS.replace(
        "duration: 2s", "duration: 500ms\nhttp: {headers: {X-Key: '{key}'}, variables: {key: {from_env: K}}}"
    )
    plan = plan_of(tmp_path, text)
    secret = "not-to-be-found-7f3a"
    seen: list[str] = []

    def look(generator: Generator, now_s: float) -> None:
        files = [Path(f"/proc/{pid}/{part}") for pid in generator.pids.values() for part in ("cmdline", "environ")]
        seen.extend(each.read_text(errors="replace") for each in files)

    run(plan, order_of(plan, url, inputs=Inputs({"key": secret})), tmp_path, meanwhile=look)
    assert asked.headers[-1]["X-Key"] == secret
    assert seen and not any(secret in each for each in seen)
    assert not any(secret in each.read_text(errors="replace") for each in tmp_path.iterdir())
