"""What faults do to processes, files and ports of a system, and that it is undone."""

import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pipeline_story import scenario, target_file
from servers import free_port, until

from soak.runner.targets.agenda import Agenda
from soak.runner.targets.clock import Clock
from soak.runner.targets.context import RunContext
from soak.runner.targets.journal import Journal
from soak.runner.targets.pipeline.faults import Faults
from soak.runner.targets.pipeline.flow import Flow
from soak.runner.targets.pipeline.places import places_of
from soak.runner.targets.pipeline.strikes import strike_of
from soak.runner.targets.pipeline.target import PipelineTarget
from soak.runner.targets.pipeline.timeseries import TimeSeries
from soak.runner.targets.processes.actions import Actions
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.group import Happening, Seen
from soak.runner.targets.processes.identity import ProcessId, process_id, stat
from soak.runner.targets.processes.ports import is_taken
from soak.runner.targets.processes.requests import RequestError, request
from soak.schemas.errors import ScenarioError, UsageError
from soak.schemas.language.faults import Fault
from soak.schemas.stream.events import Kind
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.schemas.target.templates import expand
from soak.simulation.plan import Plan

SCENARIO = """
system: pipeline
duration: 60s
workload: {{arrivals: {{rate: 2/s}}}}
pipeline:
  processes: [{{name: harvest, reads: source, writes: raw}}, {{name: signal, reads: raw, writes: signals}}]
  sinks: [{{name: file, of: signals}}, {{name: db, of: signals}}]
faults: [{{name: it, {fault}}}]
"""
TARGET = """
name: mine
ports: [timeseries]
processes:
  - {{name: harvest, command: "sleep 60"}}
  - {{name: signal, command: "sleep 60", port: {port}}}
streams: {{raw: {{jsonl: "{{dir}}/raw", key: seq}}}}
sinks:
  file: {{jsonl: "{{dir}}/file", key: seq}}
  db: {{sqlite: "{{dir}}/db", query: "SELECT seq FROM signals", key: seq}}
{more}
"""


@dataclass
class System:
    """A system of one process, `signal`, and what a fault needs to know of it."""

    folder: Path
    fault: str
    more: str = ""
    port: int = field(default_factory=free_port)
    signal: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        loaded = scenario(SCENARIO.format(fault=self.fault))
        self.plan, self.pipeline = Plan(loaded.scenario), pipeline_of(loaded.scenario)
        target = target_file(self.folder, TARGET.format(port=self.port, more=self.more))
        file = expand(target.file, {"dir": str(self.folder)})
        self.flow = Flow(self.plan, places_of(self.pipeline, file), 1.0)
        self.context = RunContext(self.plan, Clock(1.0, time.time()), Agenda(), Journal(self.plan, 0.0), 0.0, 0.0)
        self.background = Background()
        self.expected: dict[str, int] = {}
        self.struck: Any = SimpleNamespace(
            context=self.context,
            pipeline=self.pipeline,
            file=file,
            group=SimpleNamespace(current=self.current, processes={each.name: each for each in file.processes}),
            observer=SimpleNamespace(expected=self.expected, struck_s={}),
            ledgers=SimpleNamespace(read=lambda now_s: 0),
            flow=self.flow,
            metrics=SimpleNamespace(reconnects=0),
            actions=Actions(self.background),
            timeseries=None,
            directory=self.folder,
        )

    @property
    def it(self) -> Fault:
        """The fault."""
        return self.plan.scenario.faults[0]

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start the process."""
        self.signal = subprocess.Popen(command or ("sleep", "60"))
        return self.signal

    def current(self, name: str) -> ProcessId | None:
        """The process of a name."""
        return process_id(self.signal.pid) if self.signal and name == "signal" else None

    def strike(self) -> Any:
        """The fault in its window."""
        return strike_of(self.it, self.it.windows[0], self.struck)

    def close(self) -> None:
        """End it."""
        self.struck.actions.close()
        self.background.close()
        if self.signal:
            self.signal.kill()
            self.signal.wait()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Any]:
    """Makes systems."""
    made: list[System] = []

    def make(fault: str, more: str = "") -> System:
        made.append(System(tmp_path, fault, more))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_process_is_killed(system: Any) -> None:
    made = system("type: process_kill, process: signal, at: 1s")
    strike = made.strike()
    assert not strike.begin()
    process, it = made.start(), made.current("signal")
    assert strike.begin()
    assert process.wait(10) == -signal.SIGKILL
    assert made.expected == {"signal": made.plan.cause_of(made.it)}
    assert not strike.may_end()
    strike.saw(Seen(0.0, "signal", Happening.ENDED, it))
    assert strike.may_end()


def test_a_process_is_killed_again_while_it_starts(system: Any) -> None:
    made = system("type: process_kill, process: signal, at: 1s, during: startup")
    strike, first = made.strike(), made.start()
    one = made.current("signal")
    assert strike.begin()
    first.wait(10)
    strike.saw(Seen(0.0, "signal", Happening.ENDED, one))
    assert not strike.may_end()
    second = made.start()
    other = made.current("signal")
    strike.saw(Seen(0.0, "signal", Happening.STARTED, other))
    assert second.wait(10) == -signal.SIGKILL
    strike.saw(Seen(0.0, "signal", Happening.ENDED, other))
    assert strike.may_end()


def test_a_process_hangs_and_goes_on(system: Any) -> None:
    made = system("type: process_hang, process: signal, at: 1s, for: 5s")
    process, strike = made.start(), made.strike()
    assert strike.begin()
    until(lambda: (state := stat(process.pid)) is not None and state.stopped)
    assert not strike.shows()
    strike.saw(Seen(0.0, "signal", Happening.RED))
    assert strike.shows()
    strike.end()
    until(lambda: (state := stat(process.pid)) is not None and not state.stopped)


def test_a_port_is_occupied_until_the_end(system: Any) -> None:
    made = system("type: port_taken, process: signal, at: 1s, for: 5s")
    code = f"import socket, time; s = socket.socket(); s.bind(('127.0.0.1', {made.port})); s.listen(); time.sleep(60)"
    process, strike = made.start(sys.executable, "-c", code), made.strike()
    until(lambda: is_taken(made.port))
    until(strike.begin)
    assert process.poll() == -signal.SIGKILL or process.wait(10) == -signal.SIGKILL
    assert is_taken(made.port)
    strike.end()
    assert not is_taken(made.port)


def test_a_database_is_locked(system: Any) -> None:
    made = system("type: sink_lock, sink: db, at: 1s, for: 5s")
    with closing(sqlite3.connect(made.folder / "db", timeout=0, isolation_level=None)) as database:
        database.execute("CREATE TABLE signals (seq INTEGER)")
        strike = made.strike()
        assert strike.begin()
        with pytest.raises(sqlite3.OperationalError):
            database.execute("INSERT INTO signals VALUES (1)")
        assert not strike.shows()
        strike.end()
        database.execute("INSERT INTO signals VALUES (1)")


def test_a_sink_that_cannot_be_written_to_shows_by_what_it_does_not_get(system: Any) -> None:
    made = system("type: sink_lock, sink: db, at: 0s, for: 50s")
    sqlite3.connect(made.folder / "db").close()
    strike, tallies = made.strike(), made.flow.book.tallies
    assert strike.begin()
    strike._since_s -= 10.0
    tallies["raw"].distinct = 3
    assert not strike.shows()
    tallies["raw"].distinct = 30
    tallies["db"].rows = 1
    assert not strike.shows()
    strike._since_s -= 10.0
    tallies["raw"].distinct = 60
    assert strike.shows()
    strike.end()


def test_a_disk_is_full_for_the_process_that_writes_a_sink(system: Any) -> None:
    made = system("type: sink_full, sink: file, at: 1s, for: 5s")
    (made.folder / "file").write_text("12345")
    strike = made.strike()
    assert not strike.begin()
    process = made.start()
    before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    assert strike.begin()
    assert resource.prlimit(process.pid, resource.RLIMIT_FSIZE) == (5, before[1])
    strike.end()
    assert resource.prlimit(process.pid, resource.RLIMIT_FSIZE) == before


def test_a_database_of_time_series_does_not_answer_for_a_time(system: Any) -> None:
    made = system("type: export_outage, at: 1s, for: 5s")
    url = f"http://127.0.0.1:{made.port}/write"
    with closing(TimeSeries(made.background, made.port)) as timeseries:
        made.struck.timeseries = timeseries
        strike = made.strike()
        assert made.background.run(request(url, 5.0, "POST", "a=1"), 10).status == 204
        assert strike.begin()
        assert not strike.shows()
        with pytest.raises(RequestError):
            made.background.run(request(url, 0.2, "POST", "a=1"), 10)
        assert strike.shows()
        strike.end()
        assert made.background.run(request(url, 5.0, "POST", "a=1"), 10).status == 204
        assert (timeseries.written, timeseries.refused) == (2, 1)
        assert [well for _, well in timeseries.arrivals()] == [True, False, True]
        assert list(timeseries.arrivals()) == []


def test_a_target_file_carries_out_a_fault_itself(system: Any) -> None:
    more = 'faults: {clock_jump: {begin: {exec: "touch {dir}/{process}"}, end: {exec: "rm {dir}/{process}"}}}'
    made = system("type: clock_jump, process: signal, at: 1s, by: 1h", more)
    strike = made.strike()
    until(strike.begin)
    assert (made.folder / "signal").exists()
    assert strike.shows()
    strike.end()
    until(lambda: not (made.folder / "signal").exists())


def test_what_goes_on_is_undone_when_the_run_is_over(system: Any) -> None:
    made = system("type: process_hang, process: signal, at: 0s, for: 50s")
    process = made.start()
    faults = Faults(made.context, made.struck)
    faults.start()
    made.context.agenda.run(made.context.now())
    until(lambda: (state := stat(process.pid)) is not None and state.stopped)
    assert list(faults.under_way) == ["it"]
    faults.undo()
    until(lambda: (state := stat(process.pid)) is not None and not state.stopped)
    noted = made.context.journal.take(made.context.now()).kind.tolist()
    assert noted == [Kind.FAULT_INJECTED]


def test_a_kill_is_injected_before_its_process_ends(system: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = system("type: process_kill, process: signal, at: 0s")
    made.start()
    context = made.context

    def slow(*_: object, **__: object) -> bool:
        context.note(context.now(), Kind.PROCESS_EXITED)
        return True

    monkeypatch.setattr("soak.runner.targets.pipeline.strikes_at_processes.kill", slow)
    faults = Faults(context, made.struck)
    faults.start()
    context.agenda.run(context.now())
    noted = context.journal.take(context.now()).kind.tolist()
    assert noted == [Kind.FAULT_INJECTED, Kind.PROCESS_EXITED]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("type: sink_lock, sink: file, at: 1s, for: 5s", "only an SQLite database can be locked"),
        ("type: port_taken, process: harvest, at: 1s, for: 5s", "which port the process has (add port:)"),
        ("type: clock_jump, process: signal, at: 1s, by: 1h", "(add faults: clock_jump)"),
        ("type: source_silence, at: 1s, for: 5s", "(have it replay {replay})"),
        ("type: source_disconnect, at: 1s", "(add source.disconnect)"),
    ],
)
def test_what_is_not_possible_is_refused(tmp_path: Path, fault: str, words: str) -> None:
    target = PipelineTarget(target_file(tmp_path, TARGET.format(port=1, more="")))
    with pytest.raises(UsageError) as refused:
        target.admit(scenario(SCENARIO.format(fault=fault)).scenario)
    assert words in str(refused.value)
    assert "target mine cannot run this scenario: fault it" in str(refused.value)


def test_what_a_target_file_lacks_is_named(tmp_path: Path) -> None:
    text = 'name: mine\nprocesses: [{name: harvest, command: "nowhere/to be found"}]\nsinks: {file: {jsonl: x, key: k}}'
    target = PipelineTarget(target_file(tmp_path, text))
    with pytest.raises(ScenarioError) as refused:
        target.admit(scenario(SCENARIO.format(fault="type: process_kill, at: 1s")).scenario)
    assert [problem.where for problem in refused.value.problems] == ["processes", "processes[0].command", "sinks"]
