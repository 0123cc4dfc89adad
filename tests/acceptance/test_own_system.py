"""A system of another package (`tests/toy`) does what those of soak do, without a line of the product that names it."""

import csv
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from own_process import Commands, Done, commands, environment

from soak.schemas.language.registry import OURS

ROOT = Path(__file__).resolve().parents[2]
TOY = ROOT / "tests" / "toy"
RELAY = TOY / "relay.yaml"
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Ran:
    """A run: what the command said, and what it left."""

    done: Done
    directory: Path

    @property
    def verdict(self) -> Any:
        return json.loads((self.directory / "verdict.json").read_text())

    @property
    def reasons(self) -> list[str]:
        return list(self.verdict["reasons"])

    @property
    def events(self) -> list[Any]:
        (stream,) = self.directory.glob("soak_*.jsonl")
        return [json.loads(line) for line in stream.read_text().splitlines()][1:]

    def times(self, type_: str) -> list[float]:
        return [event["t"] for event in self.events if event["type"] == type_]


@pytest.fixture(scope="module")
def soak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with commands(tmp_path_factory.mktemp("own"), TOY) as run:
        yield run


def _run(soak: Commands, place: Path, *words: str) -> Ran:
    return Ran(soak("run", RELAY, "--out", place, *words), place)


@pytest.fixture(scope="module")
def simulated(soak: Commands, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return _run(soak, tmp_path_factory.mktemp("simulated") / "run")


@pytest.fixture(scope="module")
def real(soak: Commands, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return _run(soak, tmp_path_factory.mktemp("real") / "run", "--target", "relay", "--speed", "10")


# What can be said of it.


def test_its_part_of_the_language_is_in_the_schema(soak: Commands) -> None:
    done = soak("schema")
    assert (done.code, done.err) == (0, "")
    schema = json.loads(done.out)
    assert schema["properties"]["system"]["enum"] == [*OURS, "relay"]
    assert schema["properties"]["relay"] == {"$ref": "#/$defs/relay"}
    fault = schema["$defs"]["fault"]
    assert "stick" in fault["properties"]["type"]["enum"]
    assert "Of the system relay: stick: a relay sticks" in fault["properties"]["type"]["description"]
    assert fault["properties"]["lamp"]["description"].startswith("stick: ")


def test_its_indicators_are_listed(soak: Commands) -> None:
    done = soak("slis", "--json")
    listed = [each["name"] for each in json.loads(done.out) if each["system"] == "relay"]
    assert done.err == ""
    assert listed[:2] == ["switch_time_mean", "switch_time_p50"]
    assert {"stuck_time_max", "telemetry_gap", "rss"} <= set(listed)
    assert "success_rate" not in listed


def test_a_scenario_of_it_is_valid(soak: Commands) -> None:
    assert soak("validate", RELAY) == Done(0, f"{RELAY}: valid\n", "")


def test_it_brings_a_template(soak: Commands, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    assert "  relay     A bank of two relays\n" in soak("init", "--list").out
    assert soak("init", path, "--template", "relay").code == 0
    assert soak("run", path, "--out", tmp_path / "run").code == 0


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ("lamps: [hall, stair]", "lamps: hall", "13:10: relay.lamps: 'hall' is not a list (write a list such as [hall, stair])"),
        ("lamp: stair", "lamp: cellar", "20:37: faults[0].lamp: there is no lamp 'cellar' (write one of: hall, stair)"),
        ("lamp: stair", "limp: stair", "20:31: faults[0].limp: unknown key 'limp' (did you mean 'lamp'?)"),
        ("for: 4s", "rate: 5%", "20:52: faults[0].rate: key 'rate' is not allowed with stick"),
        ("type: stick", "type: worker_hang", "20:24: faults[0].type: worker_hang is not a fault of the system relay"),
        ("switch_time_p50", "success_rate", "23:5: slos[0]: unknown SLI 'success_rate'"),
        ("low: 10ms", "low: 10s", "14:51: relay.travel.high: is not above 10s (write a longer duration)"),
        ("relay:\n  lamps", "queue: {}\nrelay:\n  lamps", "12:1: queue: 'queue' belongs to the system queue"),
        ("[hall, stair]", "[hall, hall]", "13:10: relay.lamps: an entry is duplicated"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_line(soak: Commands, tmp_path: Path, written: str, instead: str, said: str) -> None:
    text = RELAY.read_text()
    assert written in text
    path = tmp_path / "wrong.yaml"
    path.write_text(text.replace(written, instead, 1))
    done = soak("validate", path)
    assert done.code == 2
    assert f"{path}:{said}" in done.err


def test_its_plan_is_shown_in_its_words(soak: Commands) -> None:
    done = soak("plan", RELAY)
    assert (done.code, done.err) == (0, "")
    assert "  signals     167\n  relays      14% of the time under way\n" in done.out
    assert json.loads(soak("plan", RELAY, "--json").out)["signals"] == 167


def test_a_doubt_has_its_line(soak: Commands) -> None:
    done = soak("plan", RELAY, "--set", "relay.springs=false")
    assert f"warning: {RELAY}:20:5: faults[0]: stair never comes free again (write springs: true)\n" in done.err


# Simulated.


def test_a_simulation_earns_its_verdict(simulated: Ran) -> None:
    assert (simulated.done.code, simulated.verdict["verdict"]) == (0, "PASS")
    assert "p95 1.144s" in simulated.done.err
    assert simulated.verdict["slis"]["stuck_time_max"] == 4.0
    assert [event["type"] for event in simulated.events].count("relay.switched") == 167
    (stuck,) = (event for event in simulated.events if event["type"] == "relay.stuck")
    assert stuck == {"t": 6.0, "type": "relay.stuck", "worker": 1, "to": "stair", "fault": "rust", "error": "stick"}


def test_a_fault_of_it_is_seen(simulated: Ran) -> None:
    (fault,) = simulated.verdict["faults"]
    assert (fault["injected"], fault["seen"], fault["status"]) == (1, 1, "PASS")


def test_an_alert_on_its_indicator_fires_and_resolves(simulated: Ran) -> None:
    (alert,) = simulated.verdict["alerts"]
    assert alert["status"] == "PASS"
    assert [10.0 <= t_s < 11.0 for t_s in simulated.times("alert.fired")] == [True]
    assert len(simulated.times("alert.resolved")) == 1


def test_its_section_is_in_the_report(simulated: Ran) -> None:
    summary = (simulated.directory / "soak_summary.md").read_text()
    assert "## Relays\n\n| lamp | switched | stuck |\n|---|---|---|\n| hall | 84 | 0 |\n| stair | 83 | 1 |\n" in summary
    page = (simulated.directory / "report.html").read_text()
    assert "Relays" in page and "How often each relay switched, and stuck." in page


def test_its_columns_are_in_the_minutes(simulated: Ran) -> None:
    with (simulated.directory / "metrics.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert {name: row[name] for name in ("enqueued", "switched", "stuck", "released", "injected:rust")} == {
        "enqueued": "167", "switched": "167", "stuck": "1", "released": "1", "injected:rust": "1",
    }  # fmt: skip
    assert "retries" not in row


def test_its_law_is_broken_by_a_relay_that_stays_stuck(soak: Commands, tmp_path: Path) -> None:
    ran = _run(soak, tmp_path / "run", "--set", "relay.springs=false")
    assert ran.done.code == 3
    assert "law springs is broken: still stuck: stair" in ran.reasons
    law = next(law for law in ran.verdict["laws"] if law["law"] == "springs")
    assert law["status"] == "FAIL"
    assert ran.verdict["unfinished"] == 66
    assert soak("verify", ran.directory).code == 0


def test_its_indicator_breaks_an_objective(soak: Commands, tmp_path: Path) -> None:
    ran = _run(soak, tmp_path / "run", "--set", "faults.0.for=6s")
    assert ran.done.code == 3
    assert ran.reasons == ["objective stuck_time_max <= 5s is broken: 6s observed"]


def test_its_indicator_aborts_a_run(soak: Commands, tmp_path: Path) -> None:
    ran = _run(soak, tmp_path / "run", "--set", "abort.0.when=switch_time_p50 > 50ms")
    assert ran.done.code == 4
    assert ran.verdict["verdict"] == "ABORTED"
    assert "hopeless" in ran.reasons[0]
    assert soak("verify", ran.directory).code == 0
    assert soak("incident", ran.directory).code in {0, 3}


def test_a_loss_of_telemetry_leaves_its_law_open(soak: Commands, tmp_path: Path) -> None:
    faults = "faults=[{name: rust, type: stick, at: 6s, for: 4s}, {name: blind, type: telemetry_loss, at: 9s, for: 3s}]"
    ran = _run(soak, tmp_path / "run", "--set", faults, "--set", "alerts=[]")
    law = next(law for law in ran.verdict["laws"] if law["law"] == "springs")
    assert law["status"] == "INCONCLUSIVE"
    assert ran.verdict["verdict"] == "INCONCLUSIVE"


# For real.


def test_a_real_run_earns_the_same_verdict(real: Ran) -> None:
    assert (real.done.code, real.verdict["verdict"], real.verdict["clock"]) == (0, "PASS", "real")
    (stuck,), (released,) = real.times("relay.stuck"), real.times("relay.released")
    late = [event["t"] for event in real.events if event["type"] == "relay.switched" and event["worker"] == 1]
    assert not [t_s for t_s in late if stuck + 0.5 < t_s < released]
    assert real.verdict["slis"]["stuck_time_max"] == pytest.approx(released - stuck, abs=1e-5)
    assert "| stair | 83 | 1 |" in (real.directory / "soak_summary.md").read_text()


def _relays(of: int) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(of).children(recursive=True)
        if any(word.endswith("lamp.py") for word in child.cmdline())
    ]


def _until(holds: Any) -> None:
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_relay_outlives_its_run(tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "soak", "run", RELAY, "--target", "relay", "--out", out]
    with subprocess.Popen(command, env=environment(TOY), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as run:
        try:
            _until(lambda: any("relay.switched" in path.read_text() for path in out.glob("*.jsonl")))
            relays = _relays(run.pid)
            assert len(relays) == 2
            # One that is stopped ends, too.
            relays[0].suspend()
            run.send_signal(number)
            run.wait(PATIENCE_S)
        finally:
            run.kill()
    _until(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in relays))


@pytest.mark.parametrize(
    ("scenario", "target", "system"),
    [(RELAY, "orchestrator", "queue"), (RELAY, "calls", "calls"), (ROOT / "scenarios" / "72h.yaml", "relay", "relay")],
)
def test_a_target_refuses_other_systems(soak: Commands, scenario: Path, target: str, system: str) -> None:
    done = soak("run", scenario, "--target", target)
    assert done.code == 2
    assert re.match(
        f"target {target} runs system: {system} only, and this scenario has system: .* \\(run it with --", done.err
    )


# Afterwards.


def test_its_evidence_is_verified(soak: Commands, simulated: Ran, real: Ran) -> None:
    for ran in (simulated, real):
        done = soak("verify", ran.directory)
        assert (done.code, done.out.splitlines()[-1]) == (0, "recomputed verdict: PASS; the evidence agrees")


def test_its_report_is_drawn_again(soak: Commands, real: Ran) -> None:
    before = (real.directory / "soak_summary.md").read_bytes()
    assert soak("report", real.directory).code == 0
    assert (real.directory / "soak_summary.md").read_bytes() == before


def test_it_is_watched_and_exported(soak: Commands, simulated: Ran) -> None:
    done = soak("watch", simulated.directory, "--json")
    state = json.loads(done.out.splitlines()[-1])
    assert (state["verdict"], state["objectives"][0]["objective"]) == ("PASS", "switch_time_p50 <= 1s")
    assert soak("watch", simulated.directory, "--replay", "1000").code == 0
    exported = soak("export", simulated.directory, "--openmetrics")
    assert (
        'soak_events_total{run="run",scenario="relay",target="simulation",type="relay.switched"} 167.0' in exported.out
    )
    assert 'sli="switch_time_p95"' in exported.out
    named = soak("export", simulated.directory, "--openmetrics", "--out", "-")
    assert named.out.splitlines()[0] == exported.out.splitlines()[0]
    assert len(named.out) == len(exported.out)


def test_two_runs_of_it_are_compared(soak: Commands, simulated: Ran, tmp_path: Path) -> None:
    slower = _run(soak, tmp_path / "slower", "--set", "relay.travel.high=190ms")
    done = soak("compare", simulated.directory, slower.directory, "--out", tmp_path / "compared")
    assert done.code == 3
    assert "switch_time_p50 is worse: 60.7ms before" in done.out
    parity = soak("compare", simulated.directory, simulated.directory, "--out", tmp_path / "same")
    assert parity.code == 0


def test_it_is_predicted_in_processes_of_their_own(soak: Commands, tmp_path: Path) -> None:
    done = soak("predict", RELAY, "-n", "3", "--jobs", "2", "--out", tmp_path / "predicted")
    assert done.code == 0
    assert "PASS probability 100%" in done.out
    assert "stuck_time_max <= 5s" in done.out


def test_what_if_one_of_its_keys_were_different(soak: Commands, tmp_path: Path) -> None:
    done = soak("compare", RELAY, "--with", "relay.springs=false", "-n", "10", "--out", tmp_path / "compared")
    assert done.code == 3
    assert "PASS in 10 before, in 0 now" in done.out


def test_the_systems_of_soak_work_beside_it(soak: Commands) -> None:
    for path in (ROOT / "scenarios" / "72h.yaml", ROOT / "scenarios" / "resilience" / "rollback.yaml"):
        done = soak("validate", path)
        assert (done.code, done.out) == (0, f"{path}: valid\n")
        # The owner's abort condition of the 72h scenario may well end a run at its objective: the one warning there is.
        warned = [f"warning: {path}:40:36: abort[0].when: success-collapse"] if path.name == "72h.yaml" else []
        assert [line.partition(" would end")[0] for line in done.err.splitlines()] == warned
