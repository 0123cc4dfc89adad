"""Load by one process, by two on this machine, and by two workers that come by themselves: same requests, same verdict."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from http_servers import Handler, service
from servers import free_port

SCENARIO = """
version: 1
name: told
system: gateway
seed: 7
duration: 2400ms
drain: 3s
http: {{url: '{url}', timeout: 3s}}
workload:
  {load}
  tenants: [{{name: A, share: 60%}}, {{name: B, share: 40%}}]
  kinds:
    - {{name: fine, share: 60%, request: {{path: "/fine/{{tenant}}/{{number}}"}}, expect: {{status: 200}}}}
    - {{name: refused, share: 25%, request: {{path: "/refused/{{number}}"}}, expect: {{status: 403}}}}
    - {{name: wrong, share: 15%, request: {{path: "/wrong/{{number}}"}}, expect: {{status: 200}}}}
slos: [success_rate >= 99%, "wrong_answers{{kind=fine}} == 0", "success_rate{{kind=refused}} == 100%"]
"""
LOADS = {
    "arrivals": "arrivals: {rate: 40/s}",
    "users": "users: {count: 12, think: {distribution: constant, value: 700ms}}",
}
WAYS = ["one", "processes", "workers"]
STATUSES = {"fine": 200, "refused": 403, "wrong": 500}


def answers(handler: Handler) -> None:
    handler.send(STATUSES[handler.path.split("/")[1]])


class Run:
    """A run whose load is made in one of `WAYS`; received: what its service was asked for."""

    def __init__(self, scenario: Path, way: str, received: list[str]) -> None:
        self.received = received
        out = scenario.with_name(way)
        words = ["run", scenario, "--target", "http", "--out", out]
        if way == "workers":
            address = f"127.0.0.1:{free_port()}"
            workers = [start("locust-worker", "--master", address) for _ in range(2)]
            try:
                self.code, said = ended(start(*words, "--locust-master", address, "--expect-workers", "2"))
                assert [ended(worker)[0] for worker in workers] == [0, 0]
            finally:
                for worker in workers:
                    worker.kill()
        else:
            self.code, said = ended(start(*words, "--processes", "1" if way == "one" else "2"))
        assert (out / "verdict.json").exists(), said
        self.verdict: Any = json.loads((out / "verdict.json").read_text())
        lines = (out / "soak_told.jsonl").read_text().splitlines()[1:]
        self.events: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def of(self, type_: str) -> list[dict[str, Any]]:
        return [each for each in self.events if each["type"] == type_]

    def asked(self) -> dict[int, tuple[str, str]]:
        """Tenant and kind of each request, by its number."""
        return {int(each["task"]): (each["tenant"], each["kind"]) for each in self.of("task.enqueued")}

    def found(self) -> tuple[int, str, list[tuple[str, str]]]:
        """Exit code, verdict, and the status of each objective."""
        statuses = [(each["objective"], each["status"]) for each in self.verdict["objectives"]]
        return self.code, self.verdict["verdict"], statuses


def start(*words: str | Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "soak", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Its exit code, and what it said of errors."""
    with process:
        _, said = process.communicate(timeout=150)
    return process.returncode, said


@pytest.fixture(scope="module")
def all_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[Run]]]:
    """Each load in each way, all at once."""
    jobs = {}
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor())
        for name, load in LOADS.items():
            for way in WAYS:
                url, received = stack.enter_context(service(answers))
                path = tmp_path_factory.mktemp(f"{name}-{way}") / "told.yaml"
                path.write_text(SCENARIO.format(url=url, load=load))
                jobs[name, way] = pool.submit(Run, path, way, received)
        yield {name: [jobs[name, way].result() for way in WAYS] for name in LOADS}


@pytest.fixture(params=LOADS)
def runs(request: pytest.FixtureRequest, all_runs: dict[str, list[Run]]) -> list[Run]:
    return all_runs[request.param]


def test_as_many_processes_make_load_as_asked_for(runs: list[Run]) -> None:
    assert [len(run.of("load.worker_joined")) for run in runs] == [1, 2, 2]


def test_all_arrivals_are_the_same_requests(all_runs: dict[str, list[Run]]) -> None:
    one, *others = all_runs["arrivals"]
    assert len(one.asked()) > 60
    assert [run.asked() for run in others] == [one.asked()] * 2
    due = [{each["task"]: each["due"] for each in run.of("task.enqueued")} for run in (one, *others)]
    assert due[1:] == due[:1] * 2


def test_users_send_the_same_requests(all_runs: dict[str, list[Run]]) -> None:
    """How many of the last turn there are depends on how fast answers come; the twelve users' first two turns are there."""
    one, *others = [run.asked() for run in all_runs["users"]]
    for asked in others:
        both = one.keys() & asked.keys()
        assert set(range(24)) <= both
        assert {number: one[number] for number in both} == {number: asked[number] for number in both}


def test_each_request_is_sent_once(runs: list[Run]) -> None:
    for run in runs:
        numbers = [int(path.rsplit("/", 1)[1]) for path in run.received]
        assert len(numbers) == len(set(numbers)) == len(run.of("task.enqueued"))


def test_each_request_ends_alike(runs: list[Run]) -> None:
    ends = [
        {each["task"]: each.get("error", "") for each in run.events if each["type"] in {"task.done", "task.failed"}}
        for run in runs
    ]
    both = ends[0].keys() & ends[1].keys() & ends[2].keys()
    assert both
    assert [{task: found[task] for task in both} for found in ends[1:]] == [{task: ends[0][task] for task in both}] * 2


def test_the_verdict_is_the_same(runs: list[Run]) -> None:
    one, *others = [run.found() for run in runs]
    wanted = [("FAIL", "success_rate >= 99%"), ("PASS", "wrong_answers{kind=fine} == 0")]
    assert [(status, name) for name, status in one[2]][:2] == wanted
    assert one[:2] == (3, "FAIL")
    assert others == [one] * 2
