"""Adapters by name: their options, what they need, the environments that are made for them, and the list of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from soak.runner.cli import run_command
from soak.runner.targets import adapters
from soak.runner.targets.adapters import environment_of
from soak.runner.targets.environment import is_up_to_date
from soak.runner.targets.make import make_target
from soak.schemas.errors import UsageError
from soak.schemas.target.load import load_target

TARGET = """name: mine
title: A system of nobody
options:
  python: {default: "{env}", description: Interpreter}
  broker: {default: redis, choices: [redis, rabbitmq], description: The broker}
  empty: {default: ""}
needs: {modules: [MODULES], python: "{option.python}"}
workers: {command: "{option.python} work.py"}
submit: {command: "{python} submit.py {payload}"}
promises: [retries, at_least_once, {redelivery: 1h}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of one adapter, `mine`, whose environment would be in the folder `envs` beside it."""
    monkeypatch.setattr(adapters, "FOLDER", tmp_path / "adapters")
    monkeypatch.setenv("SOAK_ENVS", str(tmp_path / "envs"))
    mine = tmp_path / "adapters" / "mine"
    mine.mkdir(parents=True)
    (mine / "target.yaml").write_text(TARGET.replace("MODULES", "json"))
    return mine


def needing(folder: Path, modules: str) -> None:
    (folder / "target.yaml").write_text(TARGET.replace("MODULES", modules))


def test_an_adapter_is_a_target_by_its_name(folder: Path) -> None:
    target = make_target("mine", 3.0, options={"broker": "rabbitmq"})
    assert (target.name, target.speed) == ("mine", 3.0)
    file = target.target_file  # type: ignore[attr-defined]
    assert (file.options, file.folder) == ({"broker": "rabbitmq"}, folder)
    assert target.target_sha256 is None  # type: ignore[attr-defined]


def test_a_module_that_is_not_there_is_named_with_the_command_that_brings_it(folder: Path) -> None:
    needing(folder, "json, nowhere, nowhere.at_all")
    with pytest.raises(UsageError) as caught:
        make_target("mine")
    assert str(caught.value) == (
        "target mine needs the Python modules json, nowhere, nowhere.at_all, "
        f"and {sys.executable} lacks nowhere, nowhere.at_all (install them there)"
    )
    (folder / "requirements.txt").write_text("nothing")
    with pytest.raises(UsageError, match=r"\(run: soak target env mine\)"):
        make_target("mine")


def test_an_interpreter_that_is_none(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"^/nowhere/python: No such file or directory"):
        make_target("mine", options={"python": "/nowhere/python"})
    with pytest.raises(UsageError, match=r"^false exited with 1 instead"):
        make_target("mine", options={"python": "false"})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing in it, made once."""
    place = tmp_path_factory.mktemp("made")
    subprocess.run([sys.executable, "-m", "venv", place / "mine"], check=True)
    return place


def test_an_environment_is_made_once(
    folder: Path, made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOAK_ENVS", str(made))
    wanted = folder / "requirements.txt"
    wanted.write_text("pip\n")
    assert run_command(["target", "env", "mine"]) == 0
    assert capsys.readouterr().out == f"{made / 'mine'}: made\n"
    assert run_command(["target", "env", "mine"]) == 0
    assert capsys.readouterr().out == f"{made / 'mine'}: is there and up to date\n"
    wanted.write_text("pip >= 1\n")
    assert not is_up_to_date(environment_of("mine"))
    assert load_target(folder / "target.yaml").file.needs.python == str(made / "mine" / "bin" / "python")  # type: ignore[union-attr]


def test_an_environment_elsewhere_is_named(
    folder: Path, made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "requirements-old.txt").write_text("pip\n")
    assert run_command(["target", "env", "mine-old", "--dir", str(made / "mine")]) == 0
    assert capsys.readouterr().out.endswith(f"use it with: --option python={made / 'mine' / 'bin' / 'python'}\n")


def test_packages_that_cannot_be_had(
    folder: Path, made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOAK_ENVS", str(made))
    (folder / "requirements.txt").write_text("--no-index\nno-such-package-at-all==1\n")
    assert run_command(["target", "env", "mine"]) == 2
    err = capsys.readouterr().err
    assert "the environment mine was not made: pip exited with 1: " in err and "no-such-package-at-all" in err
    assert not is_up_to_date(environment_of("mine"))


def test_what_cannot_be_an_environment(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["target", "env", "mine"]) == 2
    assert "no adapter 'mine' needs an environment (there is none)" in capsys.readouterr().err
    (folder / "requirements.txt").write_text("pip\n")
    assert run_command(["target", "env", "mien"]) == 2
    assert "did you mean 'mine'?" in capsys.readouterr().err
    assert run_command(["target", "env", "mine", "--dir", str(folder)]) == 2
    assert "is not empty, and no environment (give another --dir)" in capsys.readouterr().err


def test_the_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "requirements.txt").write_text("pip\n")
    assert run_command(["target", "list"]) == 0
    out = capsys.readouterr().out
    assert "  orchestrator      runs scenarios of the system queue\n" in out
    assert out.endswith(
        """
mine: A system of nobody
  promises: at_least_once, redelivery within 1h, retries
  environment: not made yet (run: soak target env mine)
  --option python  Interpreter [{env}]
  --option broker  The broker (redis, rabbitmq) [redis]
  --option empty
"""
    )
    assert run_command(["target", "list", "--json"]) == 0
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert found["mine"]["promises"] == ["at_least_once", "redelivery within 1h", "retries"]
    assert (found["pipeline"]["system"], found["mine"]["system"], found["mine"]["environment"]) == (
        "pipeline",
        None,
        False,
    )


def test_options_are_of_target_files_only(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("simulation", "orchestrator", "a.b:C"):
        with pytest.raises(UsageError, match="--option applies to target files and adapters, not to "):
            make_target(name, options={"a": "b"})
    assert run_command(["run", "s.yaml", "--target", "mine", "--option", "broker"]) == 2
    assert "'broker' is not NAME=VALUE" in capsys.readouterr().err
    assert run_command(["run", "s.yaml", "--target", "mine", "--option", "a=1", "--option", "a=2"]) == 2
    assert "a is given twice" in capsys.readouterr().err


@pytest.mark.parametrize("path", adapters.adapters().values(), ids=lambda path: path.parent.name)
def test_each_adapter_is_called_as_its_folder_and_needs_no_option(path: Path) -> None:
    file = load_target(path).file
    assert file.name == path.parent.name
    assert file.title
    assert file.promises is not None
    assert all(each.description for each in file.options.values())
