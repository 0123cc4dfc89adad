"""The programs of a target file of a gateway: kept alive, taken down by faults and started again; what they report."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from servers import fetch, until

from soak.runner.targets.context import RunContext
from soak.runner.targets.gateway.faults import Outage, Slow, Struck, strike_of
from soak.runner.targets.gateway.metrics import Metrics
from soak.runner.targets.gateway.watch import Watch
from soak.runner.targets.offspring import offspring_ended
from soak.runner.targets.processes.actions import Actions
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.ending import kill_tree
from soak.runner.targets.processes.identity import stat
from soak.runner.targets.processes.launch import StartError
from soak.runner.targets.processes.prepared import prepare
from soak.runner.targets.processes.service import Service
from soak.schemas.language.load import load
from soak.schemas.stream.events import Kind
from soak.schemas.target.load import load_target
from soak.simulation.plan import Plan

TINY = f"{sys.executable} {Path(__file__).with_name('tiny_gateway.py')}"
SCENARIO = """
version: 1
name: tiny
system: gateway
duration: 1m
workload: {arrivals: {rate: 1/s}, task: {request: {path: /}}}
faults:
  - {name: outage, type: store_outage, at: 0s, for: 30s}
  - {name: slow, type: store_slow, at: 0s, for: 30s, times_as_slow: 4}
  - {name: kill, type: gateway_kill, at: 0s, for: 30s}
slos: [success_rate >= 99%]
"""
TARGET = f"""
name: tiny
system: gateway
ports: [http, store]
url: "http://127.0.0.1:{{port.http}}"
ready: {{http: "http://127.0.0.1:{{port.http}}/", within: 20s}}
metrics:
  in_service: {{prometheus: "http://127.0.0.1:{{port.http}}/metrics", name: in_flight}}
  outbox: {{prometheus: "http://127.0.0.1:{{port.http}}/metrics", name: rows}}
services:
  - {{name: store, command: "{TINY} store {{port.store}}", ready: {{tcp: "{{port.store}}"}}, outage: store_outage}}
processes:
  - {{name: api, command: "{TINY} {{port.http}} {{port.store}}", ready: {{tcp: "{{port.http}}"}}}}
"""


@dataclass
class Made:
    """A service that runs, and what faults of it need."""

    context: RunContext
    service: Service
    struck: Struck
    background: Background
    url: str

    def fault(self, name: str) -> "tuple[object, object]":
        found = next(each for each in self.context.plan.scenario.faults if each.name == name)
        return found, found.windows[0]

    def noted(self) -> list[tuple[str, str]]:
        self.service.look()
        rows = self.context.journal.take(self.context.now())
        names = self.context.plan.vocabulary.names
        wanted = {Kind.PROCESS_EXITED: "exited", Kind.PROCESS_STARTED: "started"}
        kinds = [Kind(each) for each in rows.kind.tolist()]
        return [
            (wanted[kind], names[int(value)])
            for kind, value in zip(kinds, rows.value.tolist(), strict=True)
            if kind in wanted
        ]


@contextmanager
def running(folder: Path, text: str = TARGET) -> Iterator[Made]:
    (folder / "scenario.yaml").write_text(SCENARIO)
    (folder / "target.yaml").write_text(text)
    plan = Plan(load(folder / "scenario.yaml").scenario)
    (folder / "system").mkdir()
    with offspring_ended("the test"), Background() as background:
        prepared = prepare(load_target(folder / "target.yaml"), folder / "system", {})
        with closing(Service(prepared, background)) as service:
            service.start()
            context = RunContext.begin(plan, 1.0)
            service.begin(context)
            with closing(Actions(background)) as actions:
                struck = Struck(context, plan, prepared.file, service, actions, Watch(plan.vocabulary))
                yield Made(context, service, struck, background, f"http://127.0.0.1:{prepared.ports['http']}")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    with running(tmp_path_factory.mktemp("service")) as made:
        yield made


def test_a_process_that_dies_is_noted_and_started_again(made: Made) -> None:
    process = made.service.group.current("api")
    assert process
    kill_tree(process)
    noted: list[tuple[str, str]] = []

    def is_back() -> bool:
        noted.extend(made.noted())
        return noted == [("exited", "api"), ("started", "api")]

    until(is_back)
    until(lambda: fetch(made.url))
    assert made.service.group.current("api") != process


def test_an_outage_takes_a_service_down_and_brings_it_back_with_a_probe_that_sees_it(made: Made) -> None:
    made.noted()
    strike = strike_of(*made.fault("outage"), made.struck)  # type: ignore[arg-type]
    assert isinstance(strike, Outage)
    until(strike.begin)
    with pytest.raises(OSError, match="503"):
        fetch(made.url)
    until(strike.shows)
    assert made.noted() == [("exited", "store")]
    strike.end()
    until(lambda: not strike.goes_on())
    assert made.noted() == [("started", "store")]
    assert fetch(made.url)


def test_what_measures_the_service_leaves_out_what_it_stands_on(made: Made) -> None:
    api = made.service.group.current("api")
    assert api
    assert made.service.pids() == {"api": api.pid}


def test_a_slow_database_is_stopped_again_and_again_and_runs_on_at_the_end(made: Made) -> None:
    strike = strike_of(*made.fault("slow"), made.struck)  # type: ignore[arg-type]
    assert isinstance(strike, Slow)
    store = made.service.process(made.service.programs["store"])
    assert store
    assert strike.begin()

    def is_stopped(wanted: bool) -> bool:
        state = stat(store.pid)
        return bool(state and state.stopped) is wanted

    for wanted in (True, False, True):
        until(lambda wanted=wanted: is_stopped(wanted))  # type: ignore[misc]
    strike.end()
    assert is_stopped(False)


def test_what_the_service_reports_is_sampled(made: Made) -> None:
    metrics = Metrics(made.context, made.background, made.struck.file.metrics)
    made.context.journal.take(made.context.now())
    found: dict[Kind, float] = {}

    def is_read() -> bool:
        metrics.ask()
        rows = made.context.journal.take(made.context.now())
        found.update((Kind(kind), value) for kind, value in zip(rows.kind.tolist(), rows.value.tolist(), strict=True))
        return len(found) == 2

    until(is_read)
    assert found == {Kind.SAMPLE_IN_SERVICE: 3.0, Kind.SAMPLE_OUTBOX: 7.0}


def test_a_service_that_does_not_become_ready_says_why(tmp_path: Path) -> None:
    never = TARGET.replace("within: 20s", "within: 300ms").replace('{port.http}/", within', '{port.store}/", within')
    with pytest.raises(StartError, match=r"^the service is not ready: .*correct ready:"), running(tmp_path, never):
        pass


def test_a_program_that_dies_is_noted_once_and_does_not_end_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path) as made:
        store = made.service.process(made.service.programs["store"])
        assert store
        kill_tree(store)
        until(lambda: ("exited", "store") in made.noted())
        assert made.noted() == []
        assert "the run goes on, but store was ended by signal 9" in capsys.readouterr().err
