"""`soak predict` as a user meets it: what it prints, its exit codes, its files, and what is wrong with an input."""

import csv
import hashlib
import json
import re
import sys
from pathlib import Path

import pytest

from soak.runner.cli import run_command

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = str(ROOT / "scenarios" / "72h.yaml")
ABORTS = str(ROOT / "scenarios" / "aborts" / "success-collapse.yaml")
QUICK = ("--duration", "20m")
FILES = {
    "scenario.yaml", "prediction.json", "replications.csv", "prediction.md", "prediction.html", "plots", "SHA256SUMS",
}  # fmt: skip


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prediction of the shipped scenario with too few workers, so that it does not always pass."""
    out = tmp_path_factory.mktemp("predictions") / "72h"
    assert (
        run_command(
            [
                "predict",
                SCENARIO,
                "--tier",
                "pr",
                "--set",
                "queue.workers=3",
                "--set",
                "evidence=lenient",
                "-n",
                "24",
                "--out",
                str(out),
            ]
        )
        == 0
    )
    return out


def rows(directory: Path) -> list[dict[str, str]]:
    with (directory / "replications.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_directory_holds_everything_and_seals_it(directory: Path) -> None:
    assert {path.name for path in directory.iterdir()} == FILES
    sums = dict(reversed(line.split("  ")) for line in (directory / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == {*(FILES - {"plots", "SHA256SUMS"}), "plots/objectives.svg"}
    for name, digest in sums.items():
        assert hashlib.sha256((directory / name).read_bytes()).hexdigest() == digest


def test_the_page_opens_anywhere_and_the_probability_comes_first(directory: Path) -> None:
    page = (directory / "prediction.html").read_text()
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    share = json.loads((directory / "prediction.json").read_text())["pass_probability"]
    headline = re.search(r'<p class="answer">(.*?)</p>', page)
    assert headline
    assert f"{share['count']} of 24 replications" in headline[1]
    assert page.index("PASS probability") < page.index("Objectives")
    assert "soak run scenario.yaml --seed SEED" in page
    text = (directory / "prediction.md").read_text()
    assert text.startswith("# 72h: ")
    assert "the model's answer" in text


def test_files_name_no_path_of_the_machine(directory: Path) -> None:
    for path in directory.rglob("*"):
        if path.is_file():
            assert str(directory.parent).encode() not in path.read_bytes(), path


def test_the_counts_are_those_of_the_table(directory: Path) -> None:
    verdicts = [row["verdict"] for row in rows(directory)]
    prediction = json.loads((directory / "prediction.json").read_text())
    assert {each["verdict"]: each["share"]["count"] for each in prediction["verdicts"]} == {
        verdict: verdicts.count(verdict) for verdict in ("PASS", "FAIL", "ABORTED", "INCONCLUSIVE")
    }
    assert len(set(verdicts)) > 1


def test_a_seed_of_the_table_reproduces_its_replication(directory: Path, tmp_path: Path) -> None:
    table = rows(directory)
    chosen = [
        next(row for row in table if row["verdict"] == verdict) for verdict in sorted({r["verdict"] for r in table})
    ]
    for number, row in enumerate(chosen[:2]):
        out = tmp_path / str(number)
        run_command(["run", str(directory / "scenario.yaml"), "--seed", row["seed"], "--out", str(out)])
        verdict = json.loads((out / "verdict.json").read_text())
        assert verdict["verdict"] == row["verdict"]
        assert repr(verdict["ended_s"]) == row["ended_s"]
        for index, objective in enumerate(verdict["objectives"], start=1):
            assert objective["status"] == row[f"objective{index}_status"]
            assert repr(objective["value"]) == row[f"objective{index}_value"]
            assert repr(objective["margin"]) == row[f"objective{index}_margin"]


def test_the_command_in_the_report_gives_the_same_again(directory: Path, tmp_path: Path) -> None:
    words = re.findall(r"`(soak predict [^`]*)`", (directory / "prediction.md").read_text())[0].split()[1:]
    words[1] = str(directory / words[1])
    assert run_command([*words, "--jobs", "1", "--out", str(tmp_path / "again")]) == 0
    for name in ("prediction.json", "replications.csv", "prediction.md", "prediction.html", "plots/objectives.svg"):
        assert (tmp_path / "again" / name).read_bytes() == (directory / name).read_bytes(), name


def test_it_tells_the_probability_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run_command(
            ["predict", SCENARIO, *QUICK, "--set", "evidence=lenient", "-n", "4", "--out", str(tmp_path / "out")]
        )
        == 0
    )
    told = capsys.readouterr().out
    assert told.startswith("PASS probability 75% (95 % interval 30.1 … 95.4 %; 3 of 4 replications)\n")
    assert "latency_p95 <= 120s" in told


def test_every_replication_may_abort(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run_command(["predict", ABORTS, "-n", "8", "--require", "50%", "--out", str(out), "--json"]) == 3
    prediction = json.loads(capsys.readouterr().out)
    assert prediction == json.loads((out / "prediction.json").read_text())
    (abort,) = [each for each in prediction["aborts"] if each["share"]["count"]]
    assert (abort["name"], abort["share"]["count"]) == ("success-collapse", 8)
    assert abort["time"]["count"] == 8
    assert prediction["decision"] == "MISSED"
    assert (out / "plots" / "aborts.svg").exists()


def test_it_stops_when_it_is_precise_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "predict",
        SCENARIO,
        "--tier",
        "pr",
        "--set",
        "evidence=lenient",
        "-n",
        "90",
        "--precision",
        "5%",
        "--require",
        "80%",
    ]
    assert run_command([*words, "--out", str(tmp_path / "out"), "--json"]) == 0
    prediction = json.loads(capsys.readouterr().out)
    # All pass: half of Wilson's interval at 40 of 40 is 4.4 %, at 20 of 20 it is 8.1 %.
    assert (prediction["made"], prediction["stopped"], prediction["decision"]) == (40, "precise", "MET")


def test_what_is_required_may_be_undecided(tmp_path: Path) -> None:
    words = ["predict", SCENARIO, "--tier", "pr", "-n", "5", "--require", "95%"]
    assert run_command([*words, "--out", str(tmp_path / "out")]) == 5


def test_a_single_replication(tmp_path: Path) -> None:
    assert run_command(["predict", SCENARIO, *QUICK, "-n", "1", "--out", str(tmp_path / "out")]) == 0
    prediction = json.loads((tmp_path / "out" / "prediction.json").read_text())
    assert prediction["made"] == 1
    assert prediction["objectives"][0]["value"]["sd"] is None


def test_a_scenario_without_objectives(tmp_path: Path) -> None:
    words = ["predict", SCENARIO, *QUICK, "--set", "slos=[]", "-n", "2", "--out", str(tmp_path / "out")]
    assert run_command(words) == 0
    prediction = json.loads((tmp_path / "out" / "prediction.json").read_text())
    assert prediction["pass_probability"]["count"] == 0
    assert "so no replication can PASS" in (tmp_path / "out" / "prediction.html").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-n", "0"], "-n"),
        (["-n", "100000000"], "100000000"),
        (["--jobs", "0"], "--jobs"),
        (["--precision", "0"], "--precision '0' must be between 0% and 50%"),
        (["--precision", "60%"], "between 0% and 50%"),
        (["--precision", "one"], "--precision 'one' must be between"),
        (["--precision", "nan"], "--precision 'nan' must be between"),
        (["--require", "100%"], "--require '100%' must be between 0% and 100%"),
        (["--require", "-5%"], "--require '-5%' must be between"),
        (["--tier", "pro"], "no tier 'pro'"),
    ],
)
def test_wrong_input_is_told(words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["predict", SCENARIO, *words, "--out", str(tmp_path / "out")]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_directory_that_is_taken_is_refused(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*")}
    assert run_command(["predict", SCENARIO, "-n", "2", "--out", str(directory)]) == 2
    assert "is not an empty directory" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*")} == before


def test_dask_is_asked_for_only_by_those_who_want_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert run_command(["predict", SCENARIO, *QUICK, "-n", "1", "--out", str(tmp_path / "out")]) == 0
    assert run_command(["predict", SCENARIO, "--dask", "tcp://127.0.0.1:1"]) == 2
    assert "pip install '.[dask]'" in capsys.readouterr().err
