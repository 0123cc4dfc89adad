"""Whatever a run touches outside may be odd: the verdict stays right, the evidence complete, and a line says what is odd."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from soak.runner.cli import run_command
from soak.runner.evidence.directory import RunDirectory
from soak.schemas.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = """version: 1
name: small
title: Größe → {title}
system: queue
duration: 10m
drain: 5m
workload: {{arrivals: {{rate: 30/min}}, task: {{duration: {{distribution: constant, value: {value}}}}}}}
slos: [success_rate >= 90%, latency_p95 <= 5s]
"""
FAILS = 3


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    Path("good.yaml").write_text(SCENARIO.format(title="ß", value="1s"), encoding="utf-8")
    Path("bad.yaml").write_text(SCENARIO.format(title="ß", value="6s"), encoding="utf-8")
    return tmp_path


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A line of the shell in which `soak` is the program."""
    program = f'soak() {{ "{sys.executable}" -m soak "$@"; }}\n'
    words = ["bash", "-c", program + line]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(words, capture_output=True, env=variables, check=False, timeout=150)


def is_complete(out: Path, verdict: str = "PASS") -> bool:
    """Whether the evidence verifies, and comes to that verdict."""
    same = json.loads((out / "verdict.json").read_text(encoding="utf-8"))["verdict"] == verdict
    return same and run_command(["verify", str(out)]) == 0 and (out / "report.html").exists()


# Standard streams.


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("name", "code", "verdict"), [("good", 0, "PASS"), ("bad", FAILS, "FAIL")])
def test_a_stream_that_is_closed_is_nowhere(closed: str, name: str, code: int, verdict: str) -> None:
    done = shell(f"soak run {name}.yaml --out out {closed}")
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert is_complete(Path("out"), verdict)


@pytest.mark.parametrize("words", ["validate good.yaml", "plan good.yaml", "slis", "run --help", "schema scenario"])
def test_every_command_bears_closed_streams(words: str) -> None:
    for closed in (">&-", "2>&-", "<&- >&- 2>&-"):
        done = shell(f"soak {words} {closed}")
        assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_verdict_that_cannot_be_printed_is_still_the_verdict() -> None:
    done = shell("soak run bad.yaml --out out >/dev/full")
    assert done.returncode == FAILS
    [warning] = [line for line in done.stderr.decode().splitlines() if "warning" in line and "bad.yaml" not in line]
    assert warning == "warning: standard output: No space left on device (send it elsewhere)"
    assert is_complete(Path("out"), "FAIL")
    assert shell("soak run good.yaml --out out2 >/dev/full 2>/dev/full").returncode == 0
    assert is_complete(Path("out2"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("words", ["slis", "--help", "plan good.yaml", "schema scenario"])
def test_what_is_nowhere_else_has_to_be_printed(words: str) -> None:
    done = shell(f"soak {words} >/dev/full")
    assert done.returncode == 1
    [line] = done.stderr.decode().splitlines()
    assert "No space left on device" in line
    assert "internal error" not in line


def test_a_reader_that_has_gone_is_no_error() -> None:
    done = shell('soak slis | head -n 1; echo "${PIPESTATUS[0]}"')
    assert done.stdout.decode().splitlines()[1] == "0"
    assert done.stderr == b""


# What is read.


@pytest.mark.parametrize(
    "line",
    [
        "soak run <(cat good.yaml) --out out",
        "cat good.yaml | soak run /dev/stdin --out out",
        "mkfifo pipe; cat good.yaml > pipe & soak run pipe --out out",
        "soak run good.yaml --overlay <(echo 'seed: 7') --out out",
    ],
)
def test_a_scenario_through_a_pipe_is_stored_as_it_was_read(line: str) -> None:
    done = shell(line)
    assert done.returncode == 0, done.stderr
    assert is_complete(Path("out"))
    if "overlay" not in line:
        assert Path("out/scenario.yaml").read_bytes() == Path("good.yaml").read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        "predict {} -n 2 --jobs 1 --out out",
        "limits {} --vary workload.arrivals.rate=10/min..20/min --tolerance 50% --out out",
        "power {} -n 5 --out out",
    ],
)
def test_what_an_analysis_stores_is_what_it_read(words: str) -> None:
    done = shell(f"soak {words.format('<(cat good.yaml)')}")
    assert done.returncode in {0, FAILS, 5}, done.stderr
    assert Path("out/scenario.yaml").read_bytes() == Path("good.yaml").read_bytes()


def test_variants_of_what_is_read_once() -> None:
    done = shell("soak compare <(cat good.yaml) --with queue.workers=2 --overlay <(echo 'seed: 7') -n 6 --out out")
    assert done.returncode in {0, FAILS}, done.stderr
    assert json.loads(Path("out/what_if.json").read_text())["base"]["duration_s"] == 600
    done = shell("soak validate good.yaml bad.yaml --overlay <(echo 'seed: 7')")
    assert (done.returncode, done.stdout.count(b": valid with ")) == (0, 2)


def test_a_file_that_changes_while_it_is_used_is_stored_as_it_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    text = SCENARIO.format(title="ß", value="1s").replace("constant, value: 1s", "empirical, file: v.txt, unit: s")
    Path("values.yaml").write_text(text, encoding="utf-8")
    Path("v.txt").write_text("1\n2\n")
    create = RunDirectory.create

    def meddle(*words: object, **more: object) -> RunDirectory:
        Path("v.txt").write_text("900\n")
        Path("values.yaml").write_text("nothing: left")
        return create(*words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(RunDirectory, "create", meddle)
    assert run_command(["run", "values.yaml", "--out", "out"]) == 0
    assert Path("out/v.txt").read_text() == "1\n2\n"
    assert Path("out/scenario.yaml").read_text(encoding="utf-8") == text
    assert is_complete(Path("out"))


# What is written.


def closed_door(tmp_path: Path) -> Path:
    return tmp_path / "good.yaml" / "summary.md"


def full_device(_: Path) -> Path:
    return Path("/dev/full")


def pipe_without_a_reader(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("place", [closed_door, full_device, pipe_without_a_reader])
def test_a_job_summary_that_cannot_be_written_changes_no_verdict(
    here: Path, place: Callable[[Path], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    summary = place(here)
    assert run_command(["run", "bad.yaml", "--out", "out", "--job-summary", str(summary)]) == FAILS
    [warning] = [line for line in capfd.readouterr().err.splitlines() if "warning" in line and "bad.yaml" not in line]
    assert warning.startswith(f"warning: {summary}: ")
    assert warning.endswith("; the job summary was not written (the result is unaffected)")
    assert is_complete(Path("out"), "FAIL")


def test_plots_that_cannot_be_made_change_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device", "/nowhere")

    with monkeypatch.context() as patch:
        patch.setattr("soak.runner.evidence.report.render_into", refuse)
        assert run_command(["run", "bad.yaml", "--out", "out"]) == FAILS
    assert "warning: the report was not written: No space left on device" in capfd.readouterr().err
    assert run_command(["verify", "out"]) == 0
    assert run_command(["report", "out"]) == 0
    assert is_complete(Path("out"), "FAIL")


@pytest.mark.parametrize(
    "name", ["metrics.csv", "soak_small.jsonl", "verdict.json", "junit.xml", "soak_summary.md", "SHA256SUMS"]
)
def test_a_disk_that_fills_up_is_told_in_a_line_and_nothing_written_is_lost(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The inodes are used up when a file of this name is to be made."""
    made, replaced = Path.open, Path.replace

    def opened(path: Path, mode: str = "r", *words: object, **more: object) -> object:
        if path.name == name and "x" in mode:
            raise OSError(28, "No space left on device", str(path))
        return made(path, mode, *words, **more)  # type: ignore[call-overload]

    def moved(path: Path, to: Path) -> Path:
        if to.name == name:
            raise OSError(28, "No space left on device", str(path))
        return replaced(path, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opened)
        patch.setattr(Path, "replace", moved)
        assert run_command(["run", "bad.yaml", "--out", "out"]) == 1
    told = capfd.readouterr().err
    assert f"out/{name}: No space left on device" in told
    assert "internal error" not in told
    assert Path("out/scenario.yaml").exists()
    if name in {"metrics.csv", "soak_small.jsonl"}:
        return
    assert "the verdict is FAIL, and `soak resume out` completes its evidence" in told
    assert run_command(["resume", "out"]) == FAILS
    assert is_complete(Path("out"), "FAIL")


def test_runs_of_one_second_keep_out_of_each_others_way(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = threading.Barrier(8)

    def create(_: int) -> Path:
        barrier.wait()
        return RunDirectory.numbered(Path("runs/small-20260102T030405Z")).path

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(create, range(8)))) == 8


def test_one_place_is_given_to_one_run_alone() -> None:
    first = RunDirectory.create(Path("out"), "small")
    with pytest.raises(UsageError, match="another runner is using"):
        RunDirectory.create(Path("out"), "small")
    first.close()
    assert not Path("out").exists()


# Names and locales.


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems hold no such names")
def test_names_that_are_not_utf_8(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    odd, out = os.fsdecode(b"sc\xff\n.yaml"), os.fsdecode(b"runs/o\xfe")
    Path(odd).write_bytes(Path("good.yaml").read_bytes())
    assert run_command(["run", odd, "--set", "seed=3", "--out", out]) == 0
    assert is_complete(Path(out))
    assert json.loads(Path(out, "run_manifest.json").read_text(encoding="utf-8"))["scenario_file"] == "sc��.yaml"
    Path("gate.yaml").write_text(
        "{version: 1, name: g, evidence: {one_commit: false}, rules: [{name: r, runs: {in: runs/*}}]}"
    )
    assert run_command(["gate", "gate.yaml"]) == 0
    Path(out, os.fsdecode(b"more\xff\nx")).write_text("")
    assert run_command(["gate", "gate.yaml"]) == FAILS
    assert "is not listed" in Path("gate-g/gate.md").read_text(encoding="utf-8")
    assert run_command(["report", out]) == 0
    RunDirectory(Path(out)).write_checksums()
    assert is_complete(Path(out))
    assert run_command(["compare", out, out, "--out", os.fsdecode(b"c\xff")]) == 0
    assert run_command(["predict", odd, "-n", "2", "--jobs", "1", "--out", os.fsdecode(b"p\xff")]) == 0
    assert run_command(["calibrate", out, "-n", "5", "--out", os.fsdecode(b"k\xff")]) in {0, FAILS, 5}
    assert "internal error" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"},
        {"TERM": "", "COLUMNS": "1", "LINES": "x", "TZ": "Nowhere/At:all"},
        {
            "HOME": "/nonexistent",
            "TMPDIR": "/nonexistent",
            "MPLCONFIGDIR": "/dev/null/x",
            "XDG_CACHE_HOME": "/dev/null",
        },
    ],
)
def test_the_environment_changes_nothing(environment: dict[str, str]) -> None:
    done = shell("soak run good.yaml --out out && soak run bad.yaml --out out2", **environment)
    assert done.returncode == FAILS
    assert b"Traceback" not in done.stderr
    assert is_complete(Path("out"))
    assert is_complete(Path("out2"), "FAIL")
    assert run_command(["run", "good.yaml", "--out", "out3"]) == 0
    for name in ("verdict.json", "metrics.csv", "soak_small.jsonl", "plots/latency.svg"):
        assert Path("out", name).read_bytes() == Path("out3", name).read_bytes()


def test_a_current_directory_that_is_gone(here: Path) -> None:
    line = f"mkdir gone; cd gone; rmdir ../gone; soak run {here}/good.yaml --out {here}/out"
    assert shell(line).returncode == 0
    assert is_complete(Path("out"))
    done = shell(f"mkdir gone; cd gone; rmdir ../gone; soak run {here}/good.yaml")
    assert done.returncode == 2
    assert b"No such file or directory (choose another --out)" in done.stderr
