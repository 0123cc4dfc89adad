"""The run directory: where it is made, how files get into it, and what happens when they cannot."""

import errno
from datetime import UTC, datetime
from pathlib import Path

import pytest
from histories import scenario_text
from recordings import SCENARIO, record

from soak.runner.engine import execute, identify
from soak.runner.evidence.directory import CHECKSUMS, RunDirectory
from soak.runner.evidence.record import Recording
from soak.runner.targets.simulation import Simulation
from soak.schemas.errors import EvidenceError, OutputError, UsageError
from soak.schemas.language.load import load
from soak.simulation.plan import Plan

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def full(*_: object, **__: object) -> None:
    """A disk without room."""
    raise OSError(errno.ENOSPC, "No space left on device")


# Making it.


def test_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = [RunDirectory.create(None, "small", NOW).path.as_posix() for _ in range(3)]
    assert made == ["runs/small-20260102T030405Z", "runs/small-20260102T030405Z-2", "runs/small-20260102T030405Z-3"]
    assert all(Path(path).is_dir() for path in made)


def test_a_directory_that_is_asked_for(tmp_path: Path) -> None:
    assert RunDirectory.create(tmp_path / "a" / "b", "small").path.is_dir()
    (tmp_path / "empty").mkdir()
    assert RunDirectory.create(tmp_path / "empty", "small").path == tmp_path / "empty"


def test_a_directory_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("keep me")
    with pytest.raises(UsageError, match="exists already and is not an empty directory"):
        RunDirectory.create(tmp_path, "small")
    assert (tmp_path / "notes.txt").read_text() == "keep me"


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("keep me")
    with pytest.raises(UsageError, match="exists already"):
        RunDirectory.create(tmp_path / "file", "small")
    with pytest.raises(UsageError, match="a parent is not a directory"):
        RunDirectory.create(tmp_path / "file" / "run", "small")


def test_a_file_where_runs_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs").write_text("")
    with pytest.raises(UsageError, match="choose another --out"):
        RunDirectory.create(None, "small", NOW)


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="File name too long"):
        RunDirectory.create(tmp_path / ("x" * 300), "small")


def test_a_directory_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(UsageError, match="No space left on device"):
        RunDirectory.create(tmp_path / "run", "small")


def test_a_directory_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(UsageError, match="cannot be written to"):
        RunDirectory.create(tmp_path / "run", "small")


# Writing into it.


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDirectory(tmp_path)
    run.write("verdict.json", "first")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match=r"verdict\.json: No space left on device; what was written before is kept"):
        run.write("verdict.json", "second")
    assert run.read("verdict.json") == b"first"
    assert run.names() == ["verdict.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_file_on_a_full_device(tmp_path: Path) -> None:
    (tmp_path / ".verdict.json.partial").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left on device"):
        RunDirectory(tmp_path).write("verdict.json", "text")
    assert not (tmp_path / "verdict.json").exists()


def test_files_in_folders(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.write("plots/deep/a.svg", "<svg/>")
    run.write("b.txt", b"\xff")
    assert run.names() == ["b.txt", "plots/deep/a.svg"]
    assert run.read("b.txt") == b"\xff"


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"verdict\.json: No such file or directory \(this evidence is missing\)"):
        RunDirectory(tmp_path).read("verdict.json")
    with pytest.raises(EvidenceError, match="this evidence is missing"):
        RunDirectory(tmp_path).checksum("verdict.json")


def test_checksums(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.write("a.txt", "")
    run.write("b b.txt", "b")
    run.write_checksums()
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert run.read_checksums()["a.txt"] == empty
    assert list(run.read_checksums()) == ["a.txt", "b b.txt"]
    assert CHECKSUMS not in run.names()


def test_renewing_some_checksums_leaves_the_others(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.write("a.txt", "a")
    run.write("b.txt", "b")
    run.write_checksums()
    before = run.read_checksums()
    run.write("a.txt", "changed")
    run.write("b.txt", "changed")
    run.write_checksums(only=["a.txt"])
    assert run.read_checksums()["a.txt"] == run.checksum("a.txt")
    assert run.read_checksums()["b.txt"] == before["b.txt"]


# A recording that fails on the way.


def recording(tmp_path: Path) -> tuple[Recording, Plan]:
    """A recording that has just begun."""
    source = tmp_path / "small.yaml"
    source.write_text(scenario_text(SCENARIO))
    loaded = load(source)
    plan = Plan(loaded.scenario)
    identity = identify(loaded.scenario, loaded.sha256, plan.seed, Simulation(), abort=True)
    return Recording.start(tmp_path / "run", loaded, identity, plan), plan


def test_what_stands_there_from_the_start(tmp_path: Path) -> None:
    made, _ = recording(tmp_path)
    with made:
        pass
    assert made.directory.names() == ["metrics.csv", "run_manifest.json", "scenario.yaml", "soak_small.jsonl"]
    assert b'"verdict": null' in made.directory.read("run_manifest.json")


@pytest.mark.parametrize("name", ["_stream", "_metrics"])
def test_a_disk_that_fills_up_while_the_run_goes_on(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, plan = recording(tmp_path)
    identity = identify(plan.scenario, "", plan.seed, Simulation(), abort=True)

    class Full:
        def write(self, _: object) -> int:
            full()
            return 0

        writelines = write

        def close(self) -> None:
            real.close()

    def failing(*arguments: object) -> None:
        monkeypatch.setattr(getattr(made, name), "_file", Full())
        append(*arguments)

    real = getattr(made, name)._file
    append = made.append
    monkeypatch.setattr(made, "append", failing)
    with pytest.raises(OutputError, match="No space left on device; what was written before is kept"), made:
        execute(plan, Simulation(), identity, [made])
    assert made.directory.read("soak_small.jsonl").startswith(b'{"type":"stream.header"')
    assert made.directory.read("scenario.yaml")
    assert real.closed


def test_a_failure_leaves_no_file_open(tmp_path: Path) -> None:
    made, _ = recording(tmp_path)
    with pytest.raises(RuntimeError), made:
        raise RuntimeError
    assert made._metrics._file.closed
    assert made._stream._file.closed


def test_a_run_is_never_recorded_over_another(tmp_path: Path) -> None:
    record(tmp_path, "name: small\nduration: 1m")
    with pytest.raises(UsageError, match="exists already"):
        record(tmp_path, "name: small\nduration: 1m")
