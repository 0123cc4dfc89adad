"""`soak run --target http` against services that misbehave: what each request ends with, and what keeps a run from beginning."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import soak
from http_servers import Handler, endless, nobody, own_certificate, says_yes, service, silent

from soak.runner.cli import run_command
from soak.schemas.language.load import load

DOCS = Path(__file__).resolve().parents[2] / "docs"
COMMON = """
version: 1
name: told
system: gateway
seed: 3
slos: [success_rate >= 1%]
"""
KINDS = {
    "fine": ('{path: "/fine/{tenant}/{number}"}', '{status: 200, text: ok, json: {tenant: "{tenant}"}}', ""),
    "endless": ("{path: /endless}", "{}", "too_large"),
    "silent": ("{path: /silent}", "{}", "timeout"),
    "away": ("{path: /away}", "{}", "refused_redirect"),
    "throttled": ("{path: /throttled}", "{}", "throttled"),
    "broken": ("{path: /broken}", "{}", "server_error"),
    "attack": ("{path: /attack}", "{status: 403}", "wrong_answer"),
    "cut": ("{path: /cut}", "{}", "connection_error"),
}


def misbehaves(elsewhere: str, handler: Handler) -> None:
    path = handler.path.split("/")[1]
    if path == "fine":
        handler.send(body=json.dumps({"tenant": handler.path.split("/")[2], "ok": 1}).encode())
    elif path in {"endless", "silent"}:
        {"endless": endless, "silent": silent}[path](handler)
    elif path == "away":
        handler.send(302, Location=f"{elsewhere}/b")
    elif path == "cut":
        handler.close_connection = True
    else:
        handler.send({"throttled": 429, "broken": 503, "attack": 200}[path])


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[str]]]:
    """A run against a service that misbehaves, and what another host was asked meanwhile."""
    folder = tmp_path_factory.mktemp("misbehaves")
    share = 1 / len(KINDS)
    kinds = "".join(
        f"    - {{name: {name}, share: {share}, request: {request}, expect: {expect}}}\n"
        for name, (request, expect, _) in KINDS.items()
    )
    with (
        service(says_yes) as (elsewhere, asked),
        service(lambda handler: misbehaves(elsewhere, handler)) as (url, _),
    ):
        (folder / "told.yaml").write_text(
            f"{COMMON}duration: 3s\ndrain: 2s\nhttp: {{url: '{url}', timeout: 1s, max_body: 1MB, redirects: follow}}\n"
            "workload:\n  arrivals: {rate: 30/s, process: constant}\n"
            f"  tenants: [{{name: A, share: 50%}}, {{name: B, share: 50%}}]\n  kinds:\n{kinds}"
        )
        done = soak("run", folder / "told.yaml", "--target", "http", "--out", folder / "run")
    assert done.returncode in {0, 3, 5}, done.stderr
    yield folder / "run", asked


def test_each_request_ends_with_its_error(ran: tuple[Path, list[str]]) -> None:
    events = [json.loads(line) for line in (ran[0] / "soak_told.jsonl").read_text().splitlines()[1:]]
    ends = {each["task"]: each for each in events if each["type"] in {"task.done", "task.failed"}}
    kinds = {each["task"]: each["kind"] for each in events if each["type"] == "task.enqueued"}
    found = Counter((kinds[task], each.get("error", "")) for task, each in ends.items())
    assert sorted(found) == sorted((name, error) for name, (_, _, error) in KINDS.items())
    assert sum(found.values()) == 90


def test_another_host_is_never_asked(ran: tuple[Path, list[str]]) -> None:
    assert ran[1] == []


def test_the_verdict_can_be_recomputed(ran: tuple[Path, list[str]]) -> None:
    assert soak("verify", ran[0]).returncode == 0


SHORT = ["--set", "workload.users.stages=[{to: 3, for: 1s}, {for: 1s}, {to: 0, for: 1s}]", "--duration", "3s"]


@pytest.mark.parametrize("name", ["init", "first"])
def test_what_a_newcomer_begins_with_runs(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.yaml"
    with service(says_yes) as (url, asked):
        if name == "init":
            assert soak("init", path, "--from", "http", "--url", f"{url}/items?limit=1").returncode == 0
        else:
            text = (DOCS / "examples" / "http" / "first.yaml").read_text()
            path.write_text(text.replace("http://127.0.0.1:8000", url))
        done = soak("run", path, "--target", "http", *SHORT, "--out", tmp_path / "run")
    assert done.returncode in {0, 5}, done.stderr
    verdict = json.loads((tmp_path / "run" / "verdict.json").read_text())
    assert verdict["slis"]["success_rate"] == 1.0
    assert set(asked) == {"GET /items?limit=1" if name == "init" else "GET /"}
    assert len(asked) == verdict["slis"]["requests"] > 0


def scenario(folder: Path, http: str, request: str = "{path: /}") -> Path:
    path = folder / "told.yaml"
    path.write_text(
        f"{COMMON}duration: 1s\nhttp: {http}\nworkload: {{arrivals: {{rate: 20/s}}, task: {{request: {request}}}}}\n"
    )
    return path


def refusal(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of a run that does not begin; nothing is left of it."""
    assert run_command(["run", str(path), "--target", "http", "--out", str(path.with_name("run"))]) == 2
    assert not path.with_name("run").exists()
    return capsys.readouterr().err


def test_who_cannot_log_in_sends_nothing(tmp_path: Path) -> None:
    def refuses(handler: Handler) -> None:
        handler.send(403 if handler.path == "/token" else 200)

    login = "{request: {method: POST, path: /token, json: {}}, save: {token: $.token}}"
    with service(refuses) as (url, asked):
        path = scenario(tmp_path, f"{{url: '{url}', login: {login}}}", '{path: "/{token}"}')
        done = soak("run", path, "--target", "http", "--out", tmp_path / "run")
    assert done.returncode == 3, done.stderr
    verdict = json.loads((tmp_path / "run" / "verdict.json").read_text())
    assert verdict["verdict"] == "FAIL"
    assert set(asked) == {"POST /token"}


def test_tokens_that_expire_are_renewed(tmp_path: Path) -> None:
    """A token is good for ten requests; each tenant has its own."""
    uses = Counter[str]()
    guard = threading.Lock()

    def gives_tokens(handler: Handler) -> None:
        with guard:
            if handler.path in {"/token", "/refresh"}:
                told = json.loads(handler.content)
                tenant = told["tenant"]
                if handler.path == "/refresh" and not told["refresh"].startswith(f"r-{tenant}-"):
                    handler.send(403)
                    return
                uses[token := f"t-{tenant}-{len(uses)}"] = 0
                handler.send(body=json.dumps({"token": token, "refresh": token.replace("t-", "r-", 1)}).encode())
                return
            token, tenant = handler.headers["Authorization"].removeprefix("Bearer "), handler.path[1:]
            uses[token] += 1
            is_good = token.startswith(f"t-{tenant}-") and uses[token] <= 10
        handler.send(200 if is_good else 401)

    refresh = '{method: POST, path: /refresh, json: {tenant: "{tenant}", refresh: "{refresh}"}}'
    login = (
        '{for_each: tenant, request: {method: POST, path: /token, json: {tenant: "{tenant}"}},'
        f" save: {{token: $.token, refresh: $.refresh}}, renew: {{request: {refresh}}}}}"
    )
    with service(gives_tokens) as (url, asked):
        path = tmp_path / "told.yaml"
        path.write_text(
            f"{COMMON}duration: 3s\nhttp: {{url: '{url}', headers: {{Authorization: 'Bearer {{token}}'}}, login: {login}}}\n"
            "workload:\n  users: {count: 3, think: {distribution: constant, value: 50ms}}\n"
            "  tenants: [{name: A, share: 50%}, {name: B, share: 50%}]\n  task: {request: {path: '/{tenant}'}}\n"
        )
        done = soak("run", path, "--target", "http", "--out", tmp_path / "run")
    assert done.returncode in {0, 5}, done.stderr
    asked_of = Counter(asked)
    assert json.loads((tmp_path / "run" / "verdict.json").read_text())["slis"]["success_rate"] == 1.0
    assert asked_of["POST /token"] == 2
    # A token is asked for ten times and refused once, by each of those who had it in flight.
    tokens = asked_of["POST /refresh"] + 2
    assert tokens > 4
    assert max(uses.values()) <= 13


def test_a_service_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with nobody() as url:
        said = refusal(scenario(tmp_path, f"{{url: '{url}'}}"), capsys)
    assert url in said and "Connection refused" in said


def test_a_certificate_that_nobody_trusts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with service(says_yes, own_certificate(tmp_path)) as (url, asked):
        said = refusal(scenario(tmp_path, f"{{url: '{url}'}}"), capsys)
    assert "certificate" in said
    assert asked == []


def test_a_service_without_tls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with service(says_yes) as (url, _):
        said = refusal(scenario(tmp_path, f"{{url: '{url.replace('http', 'https')}'}}"), capsys)
    assert "TLS" in said


def test_a_secret_that_is_not_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = scenario(tmp_path, "{url: 'http://127.0.0.1:9', variables: {key: {from_env: SOAK_TEST_NOT_SET}}}")
    assert load(path).scenario.http
    said = refusal(path, capsys)
    assert "http.variables.key: the environment variable SOAK_TEST_NOT_SET is not set (put the secret there)" in said
