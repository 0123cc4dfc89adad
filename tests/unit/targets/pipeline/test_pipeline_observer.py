"""What is seen of processes, and what their supervisor reports, as events."""

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pipeline_story import HARVEST, SCENARIO, SIGNAL, scenario

from soak.runner.targets.agenda import Agenda
from soak.runner.targets.clock import Clock
from soak.runner.targets.context import RunContext
from soak.runner.targets.journal import Journal
from soak.runner.targets.pipeline.blame import Blame
from soak.runner.targets.pipeline.epochs import Epochs
from soak.runner.targets.pipeline.observer import Observer
from soak.runner.targets.pipeline.says import Says
from soak.runner.targets.processes.group import Happening, Seen
from soak.runner.targets.processes.identity import ProcessId
from soak.schemas.stream.events import SPECS, Kind
from soak.schemas.stream.vocabulary import NO_CAUSE, Cause
from soak.schemas.systems.pipeline.exits import exit_word
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.simulation.plan import Plan

ONE, OTHER = ProcessId(1, 1), ProcessId(2, 2)
AGO_S = 1000.0
"""A run that began so long ago."""


class Watched:
    """A run whose processes and supervisor say what the test has them say. known_s: the stream is complete up to there.

    offers: a database of time series.
    """

    def __init__(self, folder: Path, known_s: float = 0.0, *, offers: bool = False) -> None:
        self.plan, self.folder, self.zero_at = Plan(scenario(SCENARIO).scenario), folder, time.time() - AGO_S
        journal = Journal(self.plan, known_s)
        self.context = RunContext(self.plan, Clock(1.0, self.zero_at), Agenda(), journal, known_s, known_s)
        epochs = Epochs(1.0)
        epochs.begin(self.zero_at, self.zero_at, folder / "epochs")
        self.happened: list[Seen] = []
        group: Any = SimpleNamespace(poll=self._poll, ids=lambda: {"harvest": ONE, "signal": ONE})
        files = {what: str(folder / what) for what in ("probes", "restarts", "alerts", "exports", "processes")}
        timeseries: Any = SimpleNamespace(arrivals=self._arrivals) if offers else None
        self.arrived: list[tuple[float, bool]] = []
        self.observer = Observer(
            self.context,
            pipeline_of(self.plan.scenario),
            group,
            Says(files),
            epochs,
            Blame(self.plan),
            time.time(),
            timeseries,
        )

    def _arrivals(self) -> list[tuple[float, bool]]:
        found, self.arrived = self.arrived, []
        return found

    def _poll(self) -> list[Seen]:
        found, self.happened = self.happened, []
        return found

    def see(self, t_s: float, name: str, what: Happening, process: ProcessId = ONE) -> None:
        """Something happens to a process."""
        self.happened.append(Seen(self.zero_at + t_s, name, what, process))
        self.observer.look()

    def say(self, what: str, t_s: float, **more: object) -> None:
        """The supervisor writes a line."""
        with (self.folder / what).open("a") as file:
            file.write(json.dumps({"at": self.zero_at + t_s, **more}) + "\n")

    def told(self) -> list[tuple[str, float, int, str]]:
        """The events since the last call: type, when, of which part, by which fault."""
        block = self.context.journal.take(self.context.now())
        causes = self.plan.vocabulary.causes
        return [
            (SPECS[Kind(kind)].type, round(t, 3), worker, causes[cause].fault or causes[cause].error)
            for t, kind, worker, cause in zip(
                *(getattr(block, name).tolist() for name in ("t", "kind", "worker", "cause")), strict=True
            )
        ]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """A run."""
    return Watched(tmp_path)


def test_a_process_that_ends_by_a_fault_says_so(watched: Watched) -> None:
    watched.observer.expected["signal"] = watched.plan.cause_of(watched.plan.scenario.faults[0])
    watched.see(10.0, "signal", Happening.ENDED)
    watched.see(11.0, "signal", Happening.STARTED, OTHER)
    watched.see(12.0, "signal", Happening.HEALTHY, OTHER)
    watched.see(13.0, "signal", Happening.ENDED, OTHER)
    assert watched.told() == [
        ("process.exited", 10.0, SIGNAL, "kill"),
        ("process.started", 11.0, SIGNAL, ""),
        ("process.healthy", 12.0, SIGNAL, ""),
        ("process.exited", 13.0, SIGNAL, "died"),
    ]


def test_an_end_has_the_status_that_is_known(watched: Watched) -> None:
    watched.observer.listen()
    for pid, code in ((1, 0), (2, -9), (3, 0)):
        watched.say("processes", 9.0 + pid, process="signal", event="exited", pid=pid, exit=code)
    watched.see(10.0, "signal", Happening.ENDED)
    watched.see(11.0, "signal", Happening.ENDED, OTHER)
    watched.happened.append(Seen(watched.zero_at + 12.0, "signal", Happening.ENDED, ONE, exit=3))
    watched.observer.look()
    watched.observer.expected["signal"] = watched.plan.cause_of(watched.plan.scenario.faults[0])
    watched.see(13.0, "signal", Happening.ENDED, ProcessId(3, 3))
    ends = [(t, name) for _, t, _, name in watched.told()]
    assert ends == [(10.0, "exit_0"), (11.0, "SIGKILL"), (12.0, "exit_3"), (13.0, "kill")]
    assert watched.plan.vocabulary.causes[-1] == Cause("kill", "exit_0")
    assert exit_word(-99) == "signal_99"


def test_ends_in_the_shutdown_have_no_cause(watched: Watched) -> None:
    watched.observer.stopping = True
    watched.see(10.0, "signal", Happening.ENDED)
    watched.see(10.0, "signal", Happening.RED)
    assert watched.told() == [("process.exited", 10.0, SIGNAL, "")]


def test_the_first_output_after_a_start_is_noted_once(watched: Watched) -> None:
    watched.see(10.0, "harvest", Happening.STARTED)
    watched.observer.output("harvest", 9.0)
    watched.observer.output("harvest", 11.0)
    watched.observer.output("harvest", 12.0)
    assert watched.told() == [("process.started", 10.0, HARVEST, ""), ("process.output", 11.0, HARVEST, "")]


def test_the_supervisors_own_probes_and_alerts_count(watched: Watched) -> None:
    watched.observer.listen()
    watched.say("probes", 10.0, process="signal", green=True, reason="")
    watched.say("probes", 101.0, process="signal", green=False, reason="no answer", due=100)
    watched.say("probes", 102.0, process="stranger", green=False)
    watched.say("alerts", 103.0, rule="low_consistency", state="fired", minute=1, level="warning")
    watched.say("alerts", 104.0, rule="of_its_own", state="fired")
    watched.say("exports", 105.0, ok=True, error="")
    watched.say("exports", 106.0, ok=False, error="no answer")
    watched.say("processes", 107.0, process="signal", event="abandoned", pid=1)
    # What it reports decides, where it reports: soak's own probes are not noted beside it.
    watched.see(108.0, "signal", Happening.GREEN)
    watched.observer.listen()
    assert watched.told() == [
        ("probe.green", 10.0, SIGNAL, ""),
        ("probe.failed", 101.0, SIGNAL, "kill"),
        ("reported.alert_fired", 103.0, -1, ""),
        ("export.made", 105.0, -1, ""),
        ("export.failed", 106.0, -1, "kill"),
        ("process.abandoned", 107.0, SIGNAL, ""),
    ]


def test_a_green_probe_of_a_process_that_was_down_is_disputed(watched: Watched) -> None:
    watched.observer.listen()
    watched.see(100.0, "signal", Happening.ENDED)
    watched.see(110.0, "signal", Happening.RED)
    watched.say("probes", 105.0, process="signal", green=True)
    watched.say("probes", 105.0, process="harvest", green=True)
    watched.observer.listen()
    types = [(type_, worker) for type_, _, worker, _ in watched.told()]
    assert ("probe.disputed", SIGNAL) in types
    assert ("probe.disputed", HARVEST) not in types
    assert [type_ for type_, *_ in types].count("probe.failed") == 0


def test_exports_are_counted_where_they_arrive(tmp_path: Path) -> None:
    watched = Watched(tmp_path, offers=True)
    watched.arrived = [(watched.zero_at + 50.0, True), (watched.zero_at + 70.0, False)]
    watched.say("exports", 50.1, ok=True, error="")
    watched.say("exports", 75.0, ok=False, error="no answer")
    watched.say("exports", 110.0, ok=True, error="")
    watched.observer.listen()
    watched.observer.tell_exports(120.0)
    block = watched.context.journal.take(watched.context.now())
    told = [(SPECS[Kind(kind)].type, round(t)) for kind, t in zip(block.kind.tolist(), block.t.tolist(), strict=True)]
    assert told == [("export.made", 50), ("export.failed", 75), ("reported.exports", 120)]
    assert block.value[-1] == 2


def test_without_a_supervisors_word_exports_fail_where_they_are_not_answered(tmp_path: Path) -> None:
    watched = Watched(tmp_path, offers=True)
    watched.observer._says = Says({})
    watched.arrived = [(watched.zero_at + 70.0, False)]
    watched.observer.listen()
    watched.observer.tell_exports(120.0)
    assert [type_ for type_, *_ in watched.told()] == ["export.failed"]


def test_restarts_are_counted_as_the_supervisor_counts_them(watched: Watched) -> None:
    for count in (1, 2):
        watched.say("restarts", 10.0 * count, process="signal", count=count)
    watched.observer.listen()
    watched.observer.tell_restarts(50.0, None)
    block = watched.context.journal.take(60.0)
    assert block.value[block.kind == Kind.REPORTED_RESTARTS].tolist() == [0.0, 2.0, 0.0]


def test_a_supervisor_that_forgets_is_taken_at_its_word(watched: Watched) -> None:
    for t_s in (10.0, 20.0):
        watched.say("restarts", t_s, process="signal", count=0)
    watched.observer.listen()
    assert watched.observer.reported == {"signal": 0}


def test_a_run_that_goes_on_notes_only_what_is_new(tmp_path: Path) -> None:
    watched = Watched(tmp_path, known_s=130.0)
    watched.say("restarts", 20.0, process="signal", count=1)
    watched.say("probes", 120.0, process="signal", green=True)
    watched.say("probes", 140.0, process="harvest", green=True)
    watched.say("probes", AGO_S + 5.0, process="harvest", green=True)
    watched.observer.begin()
    started = [("process.started", "process.healthy")] * 2
    types = [type_ for type_, *_ in watched.told()]
    assert types == ["probe.green", *(type_ for pair in started for type_ in pair)]
    # The supervisor that was started anew says again what it said of minutes that are known.
    watched.say("alerts", 300.0, rule="no_records", state="fired", minute=0)
    watched.say("alerts", 301.0, rule="no_records", state="resolved", minute=4)
    watched.say("restarts", 302.0, process="signal", count=1)
    watched.observer.listen()
    assert watched.observer.reported == {"signal": 2}
    assert [type_ for type_, *_ in watched.told()] == ["reported.alert_resolved"]


def test_half_a_line_of_a_supervisor_waits_for_its_rest(watched: Watched) -> None:
    line = json.dumps({"at": watched.zero_at + 10.0, "process": "signal", "green": True}) + "\n"
    (watched.folder / "probes").write_text(line + line[:20])
    watched.observer.listen()
    assert len(watched.told()) == 1
    (watched.folder / "probes").write_text(line + line + "not json\n")
    watched.observer.listen()
    assert len(watched.told()) == 1


def test_nothing_is_blamed_without_a_fault(watched: Watched) -> None:
    blame = Blame(watched.plan)
    kill = watched.plan.cause_of(watched.plan.scenario.faults[0])
    assert (blame.at(99.0), blame.at(101.0), blame.at(500.0)) == (NO_CAUSE, kill, NO_CAUSE)


def test_of_two_faults_the_later_one_is_blamed() -> None:
    two = SCENARIO.replace(
        "at: 100s}", "at: 100s}\n  - {name: hang, type: process_hang, process: signal, at: 110s, for: 5s}"
    )
    plan = Plan(scenario(two).scenario)
    first, second = (plan.cause_of(fault) for fault in plan.scenario.faults)
    blame = Blame(plan)
    assert (blame.at(105.0), blame.at(111.0), blame.at(225.0)) == (first, second, second)


def test_each_part_of_a_resumed_run_has_its_own_beginning(tmp_path: Path) -> None:
    epochs = Epochs(10.0)
    epochs.begin(1000.0, 1000.0, tmp_path / "epochs")
    epochs.begin(2000.0, 1990.0, tmp_path / "epochs")
    for each in (epochs, Epochs.read(tmp_path / "epochs", 10.0)):
        assert [each.one(at) for at in (999.0, 1002.0, 1999.0, 2001.0)] == [0.0, 20.0, 9990.0, 110.0]
        assert each.zero_at == 1990.0
