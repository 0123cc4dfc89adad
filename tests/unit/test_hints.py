"""Hints about files of other versions: said once, to a person, and never elsewhere."""

import shutil
from pathlib import Path

import pytest

from soak.runner.cli import run_command
from soak.runner.hints import SILENCED_BY

OLDER = Path(__file__).parents[1] / "evidence" / "v1" / "brief"
NEWER = "version: 2\nname: later\n"


@pytest.fixture(autouse=True)
def person(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Someone with a cache of their own, not in CI."""
    for name in ("CI", SILENCED_BY):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "later.yaml").write_text(NEWER)
    return tmp_path


def hints(capsys: pytest.CaptureFixture[str], *words: object) -> list[str]:
    run_command([str(word) for word in words])
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("hint: ")]


def test_a_scenario_for_a_newer_release_is_hinted_at_once(person: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [said] = hints(capsys, "run", person / "later.yaml")
    assert "scenario of version 2 was written for a newer release, this one knows version 1" in said
    assert "pip install --upgrade soak-runner" in said and SILENCED_BY in said
    assert hints(capsys, "run", person / "later.yaml") == []


def test_evidence_that_was_upgraded_is_hinted_at_once(person: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = person / "run"
    shutil.copytree(OLDER, run)
    said = hints(capsys, "report", run)
    assert any("verdict.json of version" in each and "by an older release and read as" in each for each in said)
    assert len(said) == len(set(said))
    assert hints(capsys, "report", run) == []


def test_evidence_of_a_newer_release_is_hinted_at(person: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = person / "run"
    shutil.copytree(OLDER, run)
    (run / "verdict.json").write_text('{"schema_version": 99}')
    said = hints(capsys, "report", run)
    assert any("verdict.json of version 99 was written for a newer release" in each for each in said)


@pytest.mark.parametrize(
    ("variable", "words"), [("CI", ()), (SILENCED_BY, ()), (None, ("-q",))], ids=["in CI", "silenced", "quiet"]
)
def test_nothing_is_hinted_at_where_nobody_reads_it(
    variable: str | None,
    words: tuple[str, ...],
    person: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if variable:
        monkeypatch.setenv(variable, "true")
    assert hints(capsys, "run", person / "later.yaml", *words) == []
    assert not (person / "cache").exists()


def test_a_cache_that_cannot_be_written_breaks_nothing(
    person: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(person / "later.yaml"))
    assert hints(capsys, "run", person / "later.yaml") == []
