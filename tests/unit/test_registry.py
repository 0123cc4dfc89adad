"""Systems of other packages that are broken: each is named in one line, and the others work."""

import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from own_process import Commands, commands, environment

from soak.runner.cli import run_command
from soak.runner.targets.make import make_target
from soak.runner.targets.room import Named, system_of
from soak.schemas.language import registry
from soak.schemas.language.load import load
from soak.schemas.stream.events import SPECS, Kind, Spec, register

ROOT = Path(__file__).resolve().parents[2]
TOY, BROKEN = ROOT / "tests" / "toy", ROOT / "tests" / "broken"
OF_OURS = (ROOT / "scenarios" / "72h.yaml", ROOT / "scenarios" / "resilience" / "rollback.yaml")
SCENARIO = """\
version: 1
name: x
system: {name}
duration: 1m
workload: {{arrivals: {{rate: 1/s}}}}
slos: [telemetry_gap <= 1h]
"""
MEND = "(fix the package that provides it, or remove it)"

WRONG = {
    "raises": f"broken_soak.raising:SYSTEM cannot be loaded: RuntimeError: no lamp {MEND}",
    "exits": f"broken_soak.exiting:SYSTEM cannot be loaded: SystemExit: 3 {MEND}",
    "absent": f"broken_soak:NOTHING cannot be loaded: AttributeError: .* {MEND}",
    "nosystem": f"broken_soak:NO_SYSTEM is a dict, not a soak.schemas.language.registry.System {MEND}",
    "misnamed": f"broken_soak:PLAIN calls itself 'plain' {MEND}",
    "twice": "several packages offer it: broken_soak:RIVAL, broken_soak:TWICE (remove all but one)",
    "noroom": f"broken_soak.nowhere:LANGUAGE cannot be loaded: ModuleNotFoundError: .* {MEND}",
    "wrongkind": f"broken_soak:NO_SYSTEM is a dict, not a soak.schemas.language.room.Language {MEND}",
    "misspoken": f"broken_soak.languages:PLAIN calls itself 'plain' {MEND}",
    "missing": "missing.json: No such file or directory (fix the fragment of its schema)",
    "notjson": "notjson.json: is not JSON (fix the fragment of its schema)",
    "notfragment": "notfragment.json: lamps is not part of a fragment of a schema (it holds .*)",
    "noschema": "its fragment makes no JSON Schema at properties.noschema.type (fix the fragment)",
    "loose": "its fragment refers to #/$defs/lamp, which is not there (fix the fragment)",
    "pattern": "its fragment makes no JSON Schema at properties.pattern.pattern (fix the fragment)",
    "collides": "properties: 'queue' is taken already (choose another name)",
    "events": f"the event type 'task.done' is taken {MEND}",
    "fault": f"the fault 'worker_crash' is taken already {MEND}",
    "unlisted": f"the fault 'dark' is in its fragment or in its table only {MEND}",
    "notext": f"System: language is a NoneType, not a str {MEND}",
    "badpath": f"Language: fragment is a str, not a Path {MEND}",
    "badevents": f"Language: events[0] is a str, not a Spec {MEND}",
    "badslis": f"Language: slis is a NoneType, not a Mapping {MEND}",
    "badsli": f"Language: slis['glow'].unit is a str, not a Unit {MEND}",
    "badfaults": f"Language: faults is a NoneType, not a Mapping {MEND}",
    "badheadline": f"Language: headline is a NoneType, not a Mapping {MEND}",
    "badspec": f"Language: events[0].columns is a int, not a str {MEND}",
    "requires": "requires.json: required is not part of a fragment of a schema (it holds .*)",
    "recurses": "its fragment refers to #/$defs/lamp, which refers to itself (fix the fragment)",
    "takessli": f"the SLI 'success_rate' has another unit or direction than that of soak {MEND}",
    "takesrss": f"the SLI 'rss' is one of every system, and not as it is there {MEND}",
    "alias": f"the SLI 'glow' calls itself 'success_rate' {MEND}",
    "column": f"metrics.csv has a second column 'queue_depth' {MEND}",
    "comma": f"a column of metrics.csv is called 'lit,dark', which is not a word {MEND}",
    "greedy": "properties: 'queue' is taken already (choose another name)",
    "headline": f"there is no SLI 'lamps_lit' for its headline {MEND}",
}
"""What is said of each that its part of the language is enough to tell of."""

FAILING = {
    "builder": f"broken_soak.languages:[0-9]+: KeyError: 'lamp' {MEND}",
    "check": f"broken_soak.languages:[0-9]+: KeyError: 'lamp' {MEND}",
    "nomodel": f"broken_soak.rooms:NOTHING cannot be loaded: AttributeError: .* {MEND}",
}
"""The same for those that fail once a scenario is read."""


@pytest.fixture(scope="module")
def soak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    place = tmp_path_factory.mktemp("broken")
    for name in (*WRONG, *FAILING, "plain", "noslis", "calibrated", "model", "forecast", "tracker"):
        (place / f"{name}.yaml").write_text(SCENARIO.format(name=name))
    with commands(place, BROKEN, TOY) as run:
        yield run


def _line(pattern: str) -> "re.Pattern[str]":
    """`.*` and `[0-9]+` are any text and number."""
    return re.compile(re.escape(pattern).replace(r"\.\*", ".*").replace(r"\[0\-9\]\+", "[0-9]+") + "\n")


@pytest.mark.parametrize("command", ["validate", "plan", "run"])
@pytest.mark.parametrize("name", [*WRONG, *FAILING])
def test_a_broken_system_has_one_line_at_its_place(soak: Commands, command: str, name: str) -> None:
    done = soak(command, f"{name}.yaml")
    assert (done.code, done.out) == (2, "")
    expected = f"{name}.yaml:3:9: system: {(WRONG | FAILING)[name]}"
    assert _line(expected).fullmatch(done.err), done.err


def test_listings_warn_once_of_each_and_go_on(soak: Commands) -> None:
    for command in ("slis", "schema"):
        done = soak(command)
        said = done.err.splitlines()
        assert done.code == 0
        assert "switch_time_p95" in done.out or '"springs"' in done.out
        taken = f"broken_soak:TWICE: the name is that of a system of soak {MEND}"
        for name, what in {**WRONG, "queue": taken}.items():
            found = [line for line in said if line.startswith(f"warning: system {name}: ")]
            assert len(found) == 1 and _line(f"warning: system {name}: {what}").fullmatch(f"{found[0]}\n")
        assert len(said) == len(WRONG) + 1


def test_the_others_work_in_the_same_process(soak: Commands, tmp_path: Path) -> None:
    for path in (*OF_OURS, TOY / "relay.yaml"):
        done = soak("validate", path)
        assert (done.code, done.out) == (0, f"{path}: valid\n")
        warned = [f"warning: {path}:40:36: abort[0].when: success-collapse"] if path.name == "72h.yaml" else []
        assert [line.partition(" would end")[0] for line in done.err.splitlines()] == warned
    done = soak("run", TOY / "relay.yaml", "--out", tmp_path / "relay")
    assert done.code == 0
    assert soak("run", "plain.yaml", "--out", tmp_path / "plain").code == 0


def test_a_system_without_indicators_has_those_of_every_system(soak: Commands, tmp_path: Path) -> None:
    listed = soak("slis", "--scenario", "noslis.yaml")
    assert (listed.code, listed.err) == (0, "")
    assert listed.out.startswith("system: noslis\n  submission_lag_p99 ")
    assert soak("run", "noslis.yaml", "--out", tmp_path / "noslis").code == 0


def test_a_model_that_cannot_be_calibrated_is_refused_in_words(soak: Commands, tmp_path: Path) -> None:
    assert soak("run", "calibrated.yaml", "--out", tmp_path / "run").code == 0
    done = soak("calibrate", tmp_path / "run")
    assert done.code == 2
    assert "is a run of the system calibrated, whose model cannot be calibrated" in done.err


def test_a_tracker_that_fails_is_named(soak: Commands, tmp_path: Path) -> None:
    done = soak("run", "tracker.yaml", "--out", tmp_path / "run")
    said = done.err.splitlines()[-1]
    assert done.code == 2
    assert re.match(
        r"system tracker: broken_soak\.rooms:[0-9]+: AttributeError: .*; partial evidence is kept in ", said
    )
    assert "Traceback" not in done.err


def test_a_model_that_fails_is_named_and_its_evidence_is_judged(soak: Commands, tmp_path: Path) -> None:
    done = soak("run", "model.yaml", "--out", tmp_path / "run")
    expected = r"system model: broken_soak\.rooms:[0-9]+: ValueError: the lamp is out; the run failed midway, at 0s .*"
    assert done.code == 1
    assert re.fullmatch(expected, done.err.splitlines()[-1])


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("model", "[0-9]+: ValueError: the lamp is out"),
        ("tracker", "[0-9]+: AttributeError: .*"),
        ("nomodel", "NOTHING cannot be loaded: AttributeError: .*"),
    ],
)
def test_what_fails_in_another_process_is_named(soak: Commands, tmp_path: Path, name: str, what: str) -> None:
    done = soak("predict", f"{name}.yaml", "-n", "2", "--jobs", "2", "--out", tmp_path / "predicted")
    assert done.code == 2
    assert re.match(rf"system {name}: broken_soak\.rooms:{what}", done.err.splitlines()[-1])


def test_a_forecast_that_fails_is_named(soak: Commands) -> None:
    done = soak("plan", "forecast.yaml")
    assert done.code == 2
    assert _line(f"system forecast: broken_soak.rooms:[0-9]+: ValueError: nobody knows {MEND}").fullmatch(done.err)


def test_a_traceback_is_shown_on_request(soak: Commands) -> None:
    assert "Traceback" in soak("plan", "forecast.yaml", "--debug").err


# What it costs, and what goes to other processes.


def test_packages_are_not_looked_through_for_systems_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def scanned() -> Iterator[None]:
        raise AssertionError("the installed packages were looked through")

    monkeypatch.setattr(registry, "_points", scanned)
    for path in OF_OURS:
        load(path)
    assert make_target("calls").name == "calls"
    assert make_target("orchestrator").name == "orchestrator"
    scenario = ROOT / "tests" / "evidence" / "v4" / "brief" / "scenario.yaml"
    assert run_command(["run", str(scenario), "--out", str(tmp_path / "run")]) == 0


@pytest.mark.parametrize("name", ["simulation", "mine:Relay"])
def test_no_target_takes_a_name_that_means_another(name: str) -> None:
    with pytest.raises(ValueError, match=f"a target cannot be called '{name}'"):
        Named(name, lambda speed: make_target("calls"))
    assert system_of(name) is None


def test_our_own_failures_are_not_blamed_on_a_package_that_uses_our_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = registry.OURS["queue"], "lamp_soak.rooms"
    borrowed = replace(ours, name="lamp", judge=f"{theirs}:JUDGE")
    monkeypatch.setattr(registry, "find", lambda name: borrowed)
    monkeypatch.setattr(registry, "_in_use", ["lamp"])

    def raised_in(module: str) -> registry.Blame | None:
        try:
            exec("raise ValueError('dark')", {"__name__": module})
        except ValueError as error:
            return registry.blame(error)

    assert raised_in("soak.simulation.queue.model") is None
    assert raised_in("lamp_soaker") is None
    assert str(raised_in("lamp_soak.judge")) == "system lamp: lamp_soak.judge:1: ValueError: dark"


def test_events_are_registered_together_or_not_at_all() -> None:
    before = dict(SPECS)
    with pytest.raises(ValueError, match=r"the event type 'task\.done' is taken"):
        register([Spec("lamp.lit", "well"), Spec("task.done", "taken")])
    with pytest.raises(ValueError, match=r"the event type 'lamp\.lit' is taken"):
        register([Spec("lamp.lit", "well"), Spec("lamp.lit", "otherwise")])
    with pytest.raises(ValueError, match="there are no kinds of events left"):
        register([Spec(f"lamp.lit_{n}", "well") for n in range(len(Kind))])
    assert before == SPECS


def test_an_event_has_the_same_type_in_another_process() -> None:
    """Where another system came first, the code of a kind is another."""
    program = """
import pickle, sys
from soak.schemas.stream.events import SPECS, Spec, register
first, second = Spec("lamp.first", "first"), Spec("lamp.second", "second")
kinds = dict(zip([first, second], register([first, second] if sys.argv[1] == "send" else [second, first])))
if sys.argv[1] == "send":
    sys.stdout.write(pickle.dumps(kinds[second]).hex())
else:
    found = pickle.loads(bytes.fromhex(sys.argv[2]))
    sys.stdout.write(SPECS[found].type)
"""
    said = ""
    for words in (["send"], ["receive"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *words, said], capture_output=True, text=True, check=True, env=environment()
        )
        said = done.stdout
    assert said == "lamp.second"
    assert pickle.loads(pickle.dumps(Kind.TASK_DONE)) is Kind.TASK_DONE


def _python(program: str, *packages: Path) -> str:
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment(*packages))
    return done.stdout


def test_events_of_a_system_that_fails_its_check_do_not_stay() -> None:
    program = """
from soak.schemas.language import registry
from soak.schemas.stream.events import KIND_OF, SPECS, TYPES
before = dict(SPECS), dict(KIND_OF), list(TYPES)
_, broken = registry.languages()
assert any("greedy" in why for why in broken)
assert (SPECS, KIND_OF, TYPES) == before
"""
    assert _python(program, BROKEN) == ""


def test_a_kind_that_was_taken_back_goes_to_nobody_else() -> None:
    """A module that was imported meanwhile holds it."""
    program = """
from soak.schemas.stream.events import SPECS, Kind, Spec, register, registration
first, second = Spec("lamp.first", "first"), Spec("lamp.second", "second")
before = dict(SPECS)
try:
    with registration():
        held = register([first])
        raise KeyError
except KeyError:
    assert SPECS == before
assert register([second]) != held
assert register([first]) == held
"""
    assert _python(program) == ""


def test_defaults_of_a_system_are_its_own() -> None:
    program = f"""
from pathlib import Path
from soak.schemas.language import registry
from soak.schemas.language.load import load
from soak.schemas.language.systems import completed
registry.use("defaults")
for path in {[*map(str, OF_OURS)]!r}:
    data = completed(load(Path(path)).data)
    assert "glow" not in data["workload"].get("task", {{}})
    assert data["faults"] and not any("tint" in fault for fault in data["faults"])
own = completed({{"system": "defaults", "workload": {{"task": {{}}}}, "faults": [{{"name": "x"}}]}})
assert own["workload"]["task"]["glow"] == own["faults"][0]["tint"] == "red"
"""
    assert _python(program, BROKEN) == ""


def test_a_worker_process_that_starts_afresh_knows_the_system() -> None:
    program = f"""
import multiprocessing
from pathlib import Path
from soak.runner.replications import processes, worker_pool
from soak.runner.replications.replication import Job
from soak.schemas.language.load import load
context = multiprocessing.get_context("spawn")
processes.get_context = lambda method: context
job = Job(0, 3, load(Path({str(TOY / "relay.yaml")!r})).scenario)
print(*(made.verdict.value for made in worker_pool.in_order(processes.ProcessPool(1), [job])))
"""
    assert _python(program, TOY) == "PASS\n"


def test_a_gate_reads_our_indicators_as_ours() -> None:
    program = """
from soak.schemas.language.gate import slis_of_every_system
from soak.schemas.language.registry import catalogues
assert "lit" in catalogues()["relabels"]["success_rate"].description
assert slis_of_every_system()["success_rate"] == catalogues()["queue"]["success_rate"]
assert slis_of_every_system() is slis_of_every_system()
"""
    assert _python(program, BROKEN) == ""


def test_a_worker_elsewhere_knows_the_system() -> None:
    """It is told which one before it unpacks a scenario; without the same sources of it, it makes nothing."""
    program = """
import sys
from pathlib import Path
from soak.runner.replications import remote
from soak.runner.replications.replication import Job
if len(sys.argv) == 2:
    from soak.schemas.language.load import load
    job = Job(0, 3, load(Path(sys.argv[1])).scenario)
    sys.stdout.write(remote.order(job, remote.pack(job.scenario), whole=True).hex())
else:
    answer = remote.read_reply(remote.carry_out(bytes.fromhex(sys.argv[2])))
    sys.stdout.write(f"{answer.software.partition('system ')[2]}: {answer.replication and answer.replication.verdict.value}")
"""

    def said(*words: str, packages: tuple[Path, ...]) -> str:
        command = [sys.executable, "-c", program, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment(*packages))
        return done.stdout

    sent = said(str(TOY / "relay.yaml"), packages=(TOY,))
    assert re.fullmatch(r"relay \(sources [0-9a-f]{12}\): PASS", said("receive", sent, packages=(TOY,)))
    assert said("receive", sent, packages=()) == "relay (not installed): None"
