"""What targets of gateways refuse before a run, and which target a name or file is."""

import json
import socket
from pathlib import Path

import pytest

from soak.runner.cli import run_command
from soak.runner.targets.gateway.config import settings_of, values_of
from soak.runner.targets.gateway.target import FileTarget, UrlTarget
from soak.runner.targets.make import make_target
from soak.runner.targets.pipeline.target import PipelineTarget
from soak.schemas.errors import UsageError
from soak.schemas.language.load import load

SCENARIO = """version: 1
name: tiny
system: gateway
duration: 2s
{more}
workload: {{arrivals: {{rate: 1/s}}, {task}tenants: [{{name: A, share: 50%}}, {{name: B, share: 50%}}]}}
slos: [success_rate >= 99%]
"""
TASK = "task: {request: {path: /}}, "


def refusal(
    folder: Path, capsys: pytest.CaptureFixture[str], more: str = "", task: str = TASK, target: str = "http"
) -> str:
    path = folder / "scenario.yaml"
    path.write_text(SCENARIO.format(more=more, task=task))
    code = run_command(["run", str(path), "--target", target, "--out", str(folder / "run")])
    assert code == 2
    assert not (folder / "run").exists()
    return capsys.readouterr().err.replace(f"{folder}/", "")


def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def test_a_scenario_that_does_not_say_what_is_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(tmp_path, capsys, "http: {url: 'http://127.0.0.1:9'}", task="")
    what = "says nothing of what is sent, and target http sends requests"
    assert f"scenario.yaml:6:1: workload: {what} (add request: {{path: /}} to each kind, or to workload.task)" in said


def test_a_scenario_that_does_not_say_where_the_service_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(tmp_path, capsys, "http: {timeout: 1s}")
    assert "scenario.yaml:5:1: http: nothing says where the service is (add http: {url: …})" in said


def test_a_url_that_nobody_answers_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free()}"
    said = refusal(tmp_path, capsys, f"http: {{url: '{url}'}}")
    assert f"'{url}' does not answer: Connection refused (start the service, or correct http.url)" in said


@pytest.mark.parametrize(
    ("target", "fault", "why"),
    [
        ("http", "gateway_kill, for: 1s", "what answers at a URL cannot be struck from outside"),
        ("gateway", "lock_outage, for: 1s", "the target file has no service with outage: lock_outage"),
        ("gateway", "store_slow, for: 1s, times_as_slow: 2", "only a database that is a service of the target file"),
    ],
)
def test_faults_that_are_not_possible(
    target: str, fault: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = f"http: {{url: 'http://127.0.0.1:9'}}\nfaults: [{{name: it, at: 1s, type: {fault}}}]"
    said = refusal(tmp_path, capsys, more, target=target)
    assert f"target {target} cannot run this scenario: fault it (" in said
    assert why in said


def test_sections_and_metrics_of_a_target_file_that_mean_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "target.yaml"
    target.write_text(
        "name: mine\nsystem: gateway\nurl: http://127.0.0.1:9\nstreams: {a: {jsonl: '{dir}/a', key: a}}\n"
        "metrics: {inservice: {json: '{dir}/a', at: b}}\nservices: [{name: a, command: no-such-command}]\n"
    )
    said = refusal(tmp_path, capsys, target=str(target))
    assert "target.yaml:4:1: streams: means nothing to system: gateway: it is of records" in said
    assert "target.yaml:5:11: metrics.inservice: nothing is made of a metric 'inservice'" in said
    assert "there is no command 'no-such-command'" in said


def test_what_is_of_a_service_means_nothing_to_a_pipeline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pipeline.yaml").write_text(
        "version: 1\nname: a\nsystem: pipeline\nduration: 10s\nworkload: {arrivals: {rate: 1/s}}\n"
        "pipeline: {processes: [{name: a, reads: source, writes: b}], sinks: [{name: c, of: b}]}\n"
    )
    target = tmp_path / "target.yaml"
    target.write_text("name: mine\nsystem: pipeline\nurl: http://a\nprocesses: [{name: a, command: sleep 9}]\n")
    assert run_command(["run", str(tmp_path / "pipeline.yaml"), "--target", str(target)]) == 2
    assert (
        "target.yaml:3:1: url: means nothing to system: pipeline: it is of a service at a URL"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(("more", "kind"), [("url: http://a", FileTarget), ("title: of records", PipelineTarget)])
def test_a_file_without_a_system_is_of_the_one_that_its_url_tells(more: str, kind: type, tmp_path: Path) -> None:
    target = tmp_path / "target.yaml"
    target.write_text(f"name: mine\n{more}\n")
    assert type(make_target(str(target))) is kind


def test_targets_by_name() -> None:
    found = [make_target(name) for name in ("http", "gateway", "gateway-postgres")]
    assert [each.name for each in found] == ["http", "gateway", "gateway-postgres"]
    assert [type(each) for each in found] == [UrlTarget, FileTarget, FileTarget]


def test_a_run_cannot_be_resumed() -> None:
    scenario = load(Path(__file__).parents[4] / "scenarios" / "gateway" / "5m.yaml").scenario
    with pytest.raises(UsageError, match=r"^a run against target gateway cannot be resumed: what its users waited for"):
        make_target("gateway").admit(scenario, resumed=True)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("pools", "fair"), [("shared", False), ("per_tenant", True)])
def test_connections_of_a_scenario_are_those_of_each_process(pools: str, fair: bool, tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    store = "store: {connections: 13, latency: {distribution: constant, value: 500ms}}"
    more = f"http: {{timeout: 30s}}\ngateway: {{pools: {pools}, workers: 4, processes: 2, {store}}}"
    path.write_text(SCENARIO.format(more=more, task=TASK))
    assert settings_of(load(path).scenario, 10.0) == {
        "fair": fair,
        "tenants": [{"name": "A"}, {"name": "B"}],
        "connections": 7,
        "at_most": 4,
        "store_ms": 50.0,
        "connection_within_s": 3.0,
    }


def test_the_settings_of_a_scenario_are_in_real_seconds(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    limits = "limits: {rate: 50/s, burst: 100, tenants: {B: {rate: 5/s, burst: 10}}}, outbox: {drain_rate: 200/s}"
    path.write_text(SCENARIO.format(more=f"gateway: {{{limits}}}", task=TASK))
    scenario = load(path).scenario
    assert settings_of(scenario, 10.0) == {
        "fair": False,
        "tenants": [{"name": "A"}, {"name": "B", "rate": 50.0, "burst": 10}],
        "rate": 500.0,
        "burst": 100,
        "outbox_rate": 2000.0,
    }
    assert json.dumps(settings_of(scenario, 1.0))
    assert values_of(scenario, 7, 10.0, tmp_path)["duration"] == "0.2"
