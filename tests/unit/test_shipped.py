"""The scenarios and gates that come with soak, by name, and `soak init --from`."""

from pathlib import Path

import pytest

from soak.runner import shipped
from soak.runner.cli import run_command
from soak.schemas.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]


def test_every_file_has_a_name() -> None:
    files = {path for folder in ("scenarios", "gates") for path in (ROOT / folder).rglob("*.yaml")}
    assert {path.resolve() for path in shipped.names().values()} == files
    assert {"72h", "failures/db-lock", "gates/pr", "selftest/steady"} <= set(shipped.names())


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("72h", "scenarios/72h.yaml"),
        ("scenarios/72h.yaml", "scenarios/72h.yaml"),
        ("failures/db-lock", "scenarios/failures/db-lock.yaml"),
        ("db-lock", "scenarios/failures/db-lock.yaml"),
        ("gates/pr", "gates/pr.yaml"),
        ("pr", "gates/pr.yaml"),
    ],
)
def test_the_last_word_will_do(name: str, file: str) -> None:
    assert shipped.find(name).resolve() == ROOT / file


@pytest.mark.parametrize(
    ("name", "guess"),
    [("72hours", "did you mean '72h'? "), ("disk-full", "did you mean 'processes/disk-full'? "), ("zzz", "")],
)
def test_a_wrong_name_is_told_all_of_them(name: str, guess: str) -> None:
    """Two are called disk-full: neither is taken for the other."""
    with pytest.raises(UsageError) as error:
        shipped.find(name)
    assert str(error.value) == (
        f"no shipped scenario or gate '{name}' ({guess}write one of: {', '.join(shipped.names())})"
    )


@pytest.mark.parametrize("name", shipped.names())
def test_a_copy_has_its_schema_beside_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    original = shipped.find(name)
    assert run_command(["init", "--from", name]) == 0
    lines, written = original.read_text().splitlines(), (tmp_path / original.name).read_text().splitlines()
    kind = "gate" if name.startswith("gates/") else "scenario"
    assert written == [f"# yaml-language-server: $schema={kind}.schema.json", *lines[1:]]
    assert (tmp_path / f"{kind}.schema.json").read_bytes() == (ROOT / f"schemas/{kind}.schema.json").read_bytes()
    assert f"soak {'gate' if kind == 'gate' else 'run'} {original.name}" in capsys.readouterr().out
    assert run_command(["init", "--from", name]) == 2
    assert "already exists" in capsys.readouterr().err


def test_a_copy_goes_where_it_is_told_to(tmp_path: Path) -> None:
    assert run_command(["init", str(tmp_path / "mine.yaml"), "--from", "72h"]) == 0
    assert run_command(["validate", str(tmp_path / "mine.yaml")]) == 0
