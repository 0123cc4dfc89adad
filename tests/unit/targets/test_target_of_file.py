"""A target by the path of its file, and what of a scenario is otherwise with it."""

from pathlib import Path

import pytest

import soak
from soak.runner.cli import run_command
from soak.runner.session import conventions
from soak.runner.targets.base import FromFile, Target
from soak.runner.targets.make import from_file, make_target
from soak.schemas.errors import ScenarioError, UsageError
from soak.schemas.language.load import load
from soak.schemas.target.conventions import conventions_of
from soak.schemas.target.load import load_target

SCENARIO = """
version: 1
name: a
system: pipeline
duration: 10m
workload: {arrivals: {rate: 1/s}}
pipeline:
  processes: [{name: a, reads: source, writes: b}]
  sinks: [{name: c, of: b}]
  supervisor: {restart: {max_restarts: 2, within: 1m}, health: {every: 5s}}
slos: [abandoned == 0]
tiers: {pr: {duration: 5m}}
"""
TARGET = """name: mine
processes: [{name: a, command: sleep 60}]
conventions:
  pipeline:
    supervisor:
      restart: {max_restarts: 7}
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    (tmp_path / "target.yaml").write_text(TARGET)
    return tmp_path


def made(folder: Path, text: str = TARGET) -> Target:
    (folder / "target.yaml").write_text(text)
    return make_target(str(folder / "target.yaml"), 2.0)


def test_a_path_is_the_target_of_its_file(files: Path) -> None:
    target = made(files)
    assert isinstance(target, FromFile)
    assert (target.name, target.speed, target.clock) == ("mine", 2.0, "real")
    assert target.target_file.folder == files
    assert target.target_sha256 == target.target_file.sha256


@pytest.mark.parametrize(
    ("first", "problem"),
    [
        ("name: simulation", "1:7: name: 'simulation' is a target of soak (give this one another name)"),
        ("name: orchestrator", "1:7: name: 'orchestrator' is a target of soak (give this one another name)"),
        (
            "name: mine\nsystem: calls",
            "2:9: system: target files do not describe the system 'calls' (they describe queue, pipeline, gateway;",
        ),
        ("nam: mine", "1:1: nam: unknown key 'nam' (did you mean 'name'?)"),
    ],
)
def test_a_file_that_is_no_target_is_refused_with_its_place(files: Path, first: str, problem: str) -> None:
    with pytest.raises(ScenarioError) as error:
        made(files, TARGET.replace("name: mine", first))
    assert f"{files / 'target.yaml'}:{problem}" in str(error.value)


def test_options_of_other_targets_are_refused(files: Path) -> None:
    with pytest.raises(UsageError, match="--patience applies to attached classes only"):
        make_target(str(files / "target.yaml"), None, 3.0)
    with pytest.raises(UsageError, match=r"none\.yaml: No such file or directory"):
        make_target(str(files / "none.yaml"))


def test_conventions_are_laid_over_the_scenario_and_under_what_the_user_says(files: Path) -> None:
    over = conventions(made(files))
    overlay = files / "overlay.yaml"
    overlay.write_text("pipeline: {supervisor: {restart: {within: 3m}}}\n")

    def restart(*settings: str, overlays: tuple[Path, ...] = ()) -> tuple[object, object]:
        loaded = load(files / "scenario.yaml", settings=settings, overlays=overlays, conventions=over)
        assert loaded.overridden
        found = loaded.data["pipeline"]["supervisor"]
        assert found["health"] == {"every": "5s"}
        return found["restart"]["max_restarts"], found["restart"]["within"]

    assert restart() == (7, "1m")
    assert restart(overlays=(overlay,)) == (7, "3m")
    overlay.write_text("pipeline: {supervisor: {restart: {max_restarts: 8}}}\n")
    assert restart(overlays=(overlay,)) == (8, "1m")
    assert restart("pipeline.supervisor.restart.max_restarts=9", overlays=(overlay,)) == (9, "1m")
    assert load(files / "scenario.yaml", tier="pr", conventions=over).scenario.duration_s == 300
    assert not load(files / "scenario.yaml").overridden


def test_a_mistake_in_the_conventions_is_at_its_place_in_the_target_file(files: Path) -> None:
    target = made(files, TARGET.replace("{max_restarts: 7}", "{max_restart: 7}"))
    with pytest.raises(ScenarioError) as error:
        load(files / "scenario.yaml", conventions=conventions(target))
    what = "pipeline.supervisor.restart.max_restart: unknown key 'max_restart' (did you mean 'max_restarts'?)"
    assert str(error.value) == f"{files / 'target.yaml'}:6:17: {what}"


def test_without_conventions_nothing_changes(files: Path) -> None:
    plain = TARGET.partition("conventions")[0]
    assert conventions(made(files, plain)) is None
    assert conventions(make_target("simulation")) is None
    assert conventions_of(load_target(files / "target.yaml")) is None


def test_a_scenario_that_was_loaded_before_cannot_take_conventions(files: Path) -> None:
    loaded = load(files / "scenario.yaml")
    with pytest.raises(UsageError, match="give the path of the scenario"):
        soak.run(loaded, target=str(files / "target.yaml"), out=files / "run")
    assert not (files / "run").exists()


def test_a_scenario_of_another_system_is_refused_before_anything_is_written(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = Path(__file__).resolve().parents[3] / "scenarios" / "72h.yaml"
    (files / "target.yaml").write_text(TARGET.partition("conventions")[0])
    words = ["run", str(scenario), "--target", str(files / "target.yaml"), "--out", str(files / "run")]
    assert run_command(words) == 2
    assert "target mine runs system: pipeline only, and this scenario has system: queue" in capsys.readouterr().err
    assert not (files / "run").exists()


def test_a_file_is_made_into_a_target_by_the_room_that_takes_it(files: Path) -> None:
    loaded = load_target(files / "target.yaml")
    assert from_file(loaded, 3.0).speed == 3.0
