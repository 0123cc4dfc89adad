"""Target files that must load, and files that must be refused with exactly the messages that stand beside them."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from soak.runner.cli import run_command
from soak.schemas.errors import ScenarioError
from soak.schemas.language.document import parse_document
from soak.schemas.language.schema import read_schema
from soak.schemas.target.load import load_target, target_schema
from soak.schemas.target.model import (
    Killed,
    Needs,
    Option,
    ProbeKind,
    Promise,
    Promises,
    Proxy,
    Spoken,
    TargetFile,
    TimeFormat,
)
from soak.schemas.target.order import circle, start_order
from soak.schemas.target.templates import expand, fill, fill_command, names_in

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "tests" / "target_files"
SHIPPED = [
    path
    for path in sorted([*ROOT.glob("systems/*/target.yaml"), *ROOT.glob("docs/examples/targets/**/*.yaml")])
    if path.name != "scenario.yaml"
]
VALID = [*sorted((FILES / "valid").glob("*.yaml")), *SHIPPED]
INVALID = sorted((FILES / "invalid").glob("*.yaml"))
UPDATE = "`pytest --update-expected` writes it: review what it says"


def name_of(path: Path) -> str:
    return path.name


def read(name: str) -> TargetFile:
    return load_target(FILES / "valid" / f"{name}.yaml").file


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_it_loads(path: Path) -> None:
    loaded = load_target(path)
    assert loaded.content == path.read_bytes()
    assert loaded.folder == path.parent
    assert [
        error.message for error in Draft202012Validator(read_schema("target")).iter_errors(loaded.document.data)
    ] == []


def messages(path: Path) -> str:
    with pytest.raises(ScenarioError) as caught:
        load_target(path)
    return "".join(f"{replace(problem, source=path.name)}\n" for problem in caught.value.problems)


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_it_is_refused_as_expected(path: Path, update_expected: bool) -> None:
    expected = path.with_suffix(".expected")
    if update_expected:
        expected.write_text(messages(path), encoding="utf-8")
    assert expected.exists(), f"{expected.name} is missing; {UPDATE}"
    assert messages(path) == expected.read_text(encoding="utf-8")
    for line in messages(path).splitlines():
        assert re.fullmatch(rf"{re.escape(path.name)}:\d+:\d+: \S.* \(\S.*\)", line), line


def test_every_key_is_explained_with_an_example() -> None:
    def look(schema: object, where: str) -> None:
        if isinstance(schema, dict):
            for key, inner in schema.get("properties", {}).items():
                assert inner.get("description"), f"{where}.{key}"
                assert "examples" in inner or "properties" in inner, f"{where}.{key}"
            for key, inner in schema.items():
                look(inner, f"{where}.{key}")
        elif isinstance(schema, list):
            for inner in schema:
                look(inner, where)

    look(target_schema(), "")


def test_everything_is_typed() -> None:
    file = read("everything")
    assert [each.name for each in file.programs] == ["database", "exchange", "source", "harvest", "signal"]
    harvest, signal = file.processes
    assert harvest.ready
    assert (harvest.ready.kind, harvest.ready.within_s) == (ProbeKind.NOTIFY, 30)
    assert harvest.live
    assert (harvest.live.fresh_s, harvest.kill.of) == (5, Killed.TREE)
    assert (harvest.metrics["stream_timeouts"].total, harvest.metrics["queue_dropped"].labels) == (
        True,
        {"queue": "raw"},
    )
    assert (signal.kill.command, signal.find and signal.find.pid_file) == ("kill -9 {pid}", "{dir}/signal.pid")
    assert file.services[0].ready
    assert (file.services[0].ready.what, file.services[0].stop.signal, file.services[0].stop.grace_s) == (
        "5432",
        "INT",
        20,
    )
    assert (file.sinks["jsonl"].time, file.sinks["jsonl"].kind, file.streams["source"].key) == (
        TimeFormat.MILLISECONDS,
        "symbol",
        "seq",
    )
    assert file.conventions["pipeline"] == {"supervisor": {"restart": {"max_restarts": 3}}}
    assert file.process("signal") is signal


def test_defaults_are_filled_in_everywhere() -> None:
    (process,) = read("least").processes
    assert process.program
    assert (process.program.directory, process.stop.signal, process.kill.of) == ("{here}", "TERM", Killed.PROCESS)
    assert (process.ready, process.live, process.metrics) == (None, None, {})
    supervised = read("supervised")
    assert [each.program for each in supervised.processes] == [None, None, None]
    assert supervised.processes[1].live == supervised.processes[1].ready
    assert supervised.supervisor
    assert supervised.supervisor.says == {name: f"{{dir}}/{name}.jsonl" for name in ("restarts", "resources")}
    assert [each.log for each in supervised.processes] == ["{dir}/a.log", None, None]


def test_a_word_of_a_command_line_stays_one() -> None:
    values = {"dir": "/a b/(c)", "pid": "7"}
    assert fill_command("run --dir {dir} 'kill {pid}' x", values) == "run --dir '/a b/(c)' 'kill 7' x"
    assert fill_command("run --dir {dir} {port}", {"dir": "/ab"}) == "run --dir /ab {port}"
    assert fill_command("run '{dir}", values) == "run '/a b/(c)"
    signal = expand(read("everything"), values).processes[1]
    assert signal.program and signal.program.command == "signal --dir '/a b/(c)'"
    assert signal.ready and signal.ready.what == "test -e '/a b/(c)/ready'"
    assert signal.kill.command == "kill -9 7"


def test_names_in_braces_are_replaced() -> None:
    values = {"dir": "/run", "port.health": "80", "seed": "7"}
    assert (
        fill('{dir}/a {{dir}} {"a": {seed}} {port.health} {1} {} {pid}', values)
        == '/run/a {dir} {"a": 7} 80 {1} {} {pid}'
    )
    assert list(names_in("{dir} {{dir}} {port.a-b}")) == ["dir", "port.a-b"]
    file = expand(read("everything"), values)
    assert file.processes[0].port == "80"
    assert file.files[0].text == 'speed = {speed}\nbraces = {speed} {"a": 1}\n'
    assert file.processes[0].ready == read("everything").processes[0].ready
    assert file.streams["source"].jsonl == "/run/source.jsonl"


def test_what_waits_comes_later_and_all_else_stays_in_order() -> None:
    assert start_order({"a": ["c"], "b": [], "c": [], "d": ["a"]}) == ["b", "c", "a", "d"]
    assert circle({"a": ["b"], "b": []}) == []
    assert circle({"a": ["b"], "b": ["a"]}) in (["a", "b", "a"], ["b", "a", "b"])


def test_a_file_is_told_from_a_scenario_by_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    paths = [*(FILES / "valid").glob("*.yaml"), ROOT / "scenarios" / "72h.yaml"]
    assert run_command(["validate", *map(str, paths)]) == 0
    assert capsys.readouterr().out.count(": valid") == len(paths)
    assert run_command(["validate", str(FILES / "invalid" / "circle.yaml")]) == 2
    assert "it waits for itself" in capsys.readouterr().err


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["schema", "target"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Soak target"


def test_a_target_file_that_cannot_be_read_is_not_called_a_scenario(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["run", str(ROOT / "scenarios" / "72h.yaml"), "--target", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml: No such file or directory (give a readable target file)" in capsys.readouterr().err


def test_a_scenario_is_no_target_file(capsys: pytest.CaptureFixture[str]) -> None:
    scenario = str(ROOT / "scenarios" / "72h.yaml")
    assert run_command(["run", scenario, "--target", scenario]) == 2
    assert "workload: is a scenario, not a target file (give it in front of --target)" in capsys.readouterr().err


TASKS = FILES / "valid" / "tasks.yaml"


def test_a_task_system_is_typed() -> None:
    file = load_target(TASKS).file
    assert (file.system, file.ports, file.faketime, file.tcp) == (None, ("redis",), 60.0, True)
    assert [(each.name, each.role, each.command) for each in file.services] == [
        ("redis", "broker", "redis-server --port {port.redis} --dir {dir}"),
        ("database", "database", "postgres -p {port.redis}"),
    ]
    # What would have been left for is waited for no more.
    assert [each.after for each in file.services] == [(), ()]
    workers = file.workers
    assert workers
    assert (workers.count, workers.concurrency, workers.restarts, workers.kill.command) == (
        3,
        2,
        True,
        "docker kill {name}",
    )
    assert workers.program.command.endswith(
        "celery -A redis.app worker -n {name} --broker {proxy.broker} --port {port}"
    )
    assert (workers.program.after, workers.program.stop.grace_s) == (("redis",), 5.0)
    # Text where text is wanted, a number where one is.
    assert (workers.program.environment["LATE"], workers.program.environment["COUNT"]) == ("true", "3")
    assert file.conventions == {"queue": {"workers": 3, "retry": {"max_attempts": 3}}}
    assert file.submit == Spoken("sh submit.sh {key} {payload}", None, "{here}", 10.0, 8)
    assert isinstance(file.census, Spoken) and file.census.command == "sh census.sh {port.redis}"
    assert file.promises == Promises(
        frozenset({Promise.RETRIES, Promise.AT_LEAST_ONCE, Promise.EXCLUSIVE, Promise.REDELIVERY}), 3600.0
    )
    assert Promise.RETRIES in file.promises and Promise.ORDER not in file.promises
    assert file.proxies == (Proxy("broker", "{port.redis}"), Proxy("elsewhere", "10.0.0.1:5432"))
    assert file.options["broker"] == Option("broker", "redis", "The broker", ("redis", "rabbitmq"))
    assert file.needs == Needs(("json",), sys.executable, "tasks")


def test_options_choose_services_and_their_ports() -> None:
    loaded = load_target(TASKS, {"broker": "rabbitmq", "count": "5", "promises": "[]"})
    file = loaded.file
    assert [each.name for each in file.services] == ["rabbit", "database"]
    assert file.ports == ("rabbit",)
    assert file.workers and (file.workers.count, file.workers.program.after) == (5, ("rabbit",))
    assert "rabbitmq.app" in file.workers.program.command
    assert file.promises == Promises()


def test_options_that_were_given_are_kept_with_the_file() -> None:
    plain, given = load_target(TASKS), load_target(TASKS, {"count": "5", "app": 'a "b"'})
    assert given.content.startswith(plain.content)
    assert given.content.endswith(b'\n# --option "count=5"\n# --option "app=a \\"b\\""')
    assert given.sha256 != plain.sha256 == load_target(TASKS, {}).sha256
    assert given.options == {"count": "5", "app": 'a "b"'}
    assert parse_document(given.content, "a").data == parse_document(plain.content, "a").data


def test_wrong_options_are_said_all_at_once_with_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "name: a\noptions: {app: {description: Your app}, b: {choices: [1, x]}}\n"
        'processes: [{name: a, comand: "{option.app}"}]\n'
    )
    with pytest.raises(ScenarioError) as caught:
        load_target(path, {"ap": "1", "b": "2"})
    assert [str(each).replace(str(path), "a.yaml") for each in caught.value.problems] == [
        "--option ap=1: a.yaml has no option 'ap' (did you mean 'app'?)",
        "--option b=2: '2' is not one of its choices (write one of: 1, x)",
        "a.yaml:2:11: options.app: the option 'app' must be given: Your app (add --option app=VALUE)",
        "a.yaml:3:23: processes[0].comand: unknown key 'comand' (did you mean 'command'?)",
    ]
    with pytest.raises(ScenarioError, match=r"has no option 'a' \(remove it\)"):
        load_target(FILES / "valid" / "least.yaml", {"a": "1"})


def test_validate_takes_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["validate", str(TASKS), "--option", "broker=rabbitmq"]) == 0
    assert run_command(["validate", str(TASKS), "--option", "broker=kafka", "--json"]) == 2
    assert "--option broker=kafka" in capsys.readouterr().out
    assert run_command(["validate", str(ROOT / "scenarios" / "72h.yaml"), "--option", "broker=kafka"]) == 2
    assert "--option applies to target files, and this is a scenario (remove it)" in capsys.readouterr().err
