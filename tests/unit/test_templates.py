"""`soak init --template`: every template is valid, runs, and marks what to change first."""

import json
import sys
from pathlib import Path

import pytest

from soak.runner import templates
from soak.runner.cli import run_command
from soak.schemas.language.load import load
from soak.schemas.language.registry import OURS, language_of
from soak.simulation.plan import Plan

NAMES = list(templates.templates()[0])


def test_there_is_one_for_every_system() -> None:
    assert NAMES[: len(OURS)] == list(OURS)
    assert all(language_of(name).template for name in OURS)
    assert {"attached", "stages", "trace"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_valid_and_runs_in_seconds(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["init", "--template", name]) == 0
    path = Path(f"{name}.yaml")
    assert run_command(["validate", str(path)]) == 0
    loaded = load(path)
    assert loaded.scenario.name == name and loaded.scenario.title
    assert sum(len(chunk.due_s) for chunk in Plan(loaded.scenario).submissions()) < 20_000
    assert run_command(["run", str(path), "--out", "out"]) == 0
    assert json.loads(Path("out/verdict.json").read_text())["verdict"] == "PASS"
    assert run_command(["init", "--template", name]) == 2


@pytest.mark.parametrize("name", NAMES)
def test_it_marks_the_three_things_to_change_first(name: str) -> None:
    head, _, body = templates.find_template(name).scenario.read_text().partition("version: 1\n")
    for mark in ("(1)", "(2)", "(3)"):
        assert head.count(mark) == 1 and body.count(mark) >= 1, mark
    assert head.startswith("# yaml-language-server: $schema=scenario.schema.json\n")


def test_the_attached_class_fulfils_the_contract_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["init", "--template", "attached"]) == 0
    assert (tmp_path / "my_queue.py").exists()
    try:
        assert run_command(["target", "check", "my_queue:MyQueue"]) == 0
        words = ["--target", "my_queue:MyQueue", "--speed", "20", "--duration", "1m", "--out", "out"]
        assert run_command(["run", "attached.yaml", *words]) in {0, 5}
    finally:
        sys.modules.pop("my_queue", None)


def test_nothing_is_replaced_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_queue.py").write_text("mine = 1\n")
    assert run_command(["init", "--template", "attached"]) == 2
    assert "my_queue.py: already exists" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["my_queue.py"]
    assert run_command(["init", "--template", "attached", "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == ["attached.yaml", "my_queue.py", "scenario.schema.json"]


def test_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["init", "--list"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in NAMES) and "  72h\n" in said
    assert run_command(["init", "--list", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["templates"]) == NAMES


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--template", "call"], "no template 'call' (did you mean 'calls'? soak init --list)"),
        (["--template", "calls", "--from", "72h"], "--template and --from: give one of them"),
    ],
)
def test_what_is_not_a_template(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["init", *words]) == 2
    assert said in capsys.readouterr().err


# A service at a URL.


@pytest.mark.parametrize(
    ("url", "service", "path"),
    [
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443", "/"),
        ("http://api.example/", "http://api.example", "/"),
        ("http://[::1]:80/items?a=1&b=%20#top", "http://[::1]:80", "/items?a=1&b=%20"),
    ],
)
def test_a_service_is_asked(url: str, service: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["init", "--from", "http", "--url", url]) == 0
    data = load(Path("http.yaml")).data
    assert data["http"]["url"] == service
    assert data["workload"]["task"]["request"]["path"] == path


def test_the_command_to_try_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["init", "mine.yaml", "--from", "http", "--url", "http://127.0.0.1:8000"]) == 0
    assert "try: soak run mine.yaml --target http" in capsys.readouterr().out


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://a", "http://", "http://a:b", "http://u:p@a/", "http://a/{x}", "http://a /"]
)
def test_what_is_not_a_url(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["init", "--from", "http", "--url", url]) == 2
    assert "is not a URL of a service (write http://host:port, or with a path)" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []


def test_only_some_ask_a_service(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["init", "--from", "72h", "--url", "http://127.0.0.1:8000"]) == 2
    assert "--url: 72h.yaml asks no service at a URL (add --from http)" in capsys.readouterr().err


def test_what_was_written_says_how_to_run_it_under_its_own_name(tmp_path: Path) -> None:
    assert run_command(["init", str(tmp_path / "mine.yaml"), "--from", "http"]) == 0
    assert "\n# Try: soak run mine.yaml --target http\n" in (tmp_path / "mine.yaml").read_text(encoding="utf-8")
