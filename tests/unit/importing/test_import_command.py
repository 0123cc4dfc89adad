"""`soak import`: what it writes and says, and that what it writes loads."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.runner.cli import run_command
from soak.runner.importing.values import duration_text, seconds_of, target_text
from soak.schemas import units
from soak.schemas.language.expression import Unit
from soak.schemas.language.load import load

RULES = """\
groups:
- rules:
  - alert: Deep
    expr: celery_queue_length > 100
    for: 2m
  - alert: Gone
    expr: up == 0
"""
TAURUS = "execution: {throughput: 2, hold-for: 10m}\nreporting: [{module: passfail, criteria: ['fail>5%']}]\n"


def test_the_part_is_printed_and_the_rest_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(RULES)
    assert run_command(["import", str(path)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("# From rules.yml (Prometheus rules).\n") and "when: queue_depth > 100\n" in said.out
    assert said.err.startswith(f"not translated: {path}:7:11: Gone: whether a target is scraped")


def test_the_part_goes_with_a_scenario(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.yml").write_text(RULES)
    part, scenario = tmp_path / "part.yaml", tmp_path / "mine.yaml"
    assert run_command(["import", str(tmp_path / "rules.yml"), "-o", str(part)]) == 0
    assert "written, from Prometheus rules: 1 alerts; not translated: 1" in capsys.readouterr().out
    assert run_command(["init", str(scenario)]) == 0
    assert run_command(["validate", str(scenario), "--overlay", str(part)]) == 0
    scenario.write_text(scenario.read_text().replace("name: queue", "name: queue\ninclude: [part.yaml]"))
    assert [alert.condition.name for alert in load(scenario).scenario.alerts] == ["Deep", "backlog"]
    assert run_command(["import", str(tmp_path / "rules.yml"), "-o", str(part)]) == 2
    assert run_command(["import", str(tmp_path / "rules.yml"), "-o", str(part), "--force"]) == 0


@pytest.mark.parametrize("system", ["queue", "calls"])
def test_a_whole_scenario_runs(tmp_path: Path, system: str) -> None:
    (tmp_path / "taurus.yml").write_text(TAURUS)
    whole = tmp_path / "whole.yaml"
    assert run_command(["import", str(tmp_path / "taurus.yml"), "--whole", "--system", system, "-o", str(whole)]) == 0
    found = load(whole).scenario
    assert (found.system, found.duration_s) == (system, 600)
    assert run_command(["run", str(whole), "--out", str(tmp_path / "run")]) in {0, 3, 5}


def test_a_whole_scenario_says_what_is_from_the_template(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taurus.yml").write_text(TAURUS)
    whole = tmp_path / "whole.yaml"
    assert run_command(["import", str(tmp_path / "taurus.yml"), "--whole", "-o", str(whole)]) == 0
    listed = [
        'workload.task: {"duration": {"distribution": "lognormal", "median": "4s", "p95": "12s"}}',
        "queue.workers: 6",
        'drain: "10m"',
    ]
    said, text = capsys.readouterr().err, whole.read_text()
    assert "# From the template, not from the original; the verdict depends on them" in text
    for each in listed:
        assert f"#   {each}\n" in text and f"from the template, may decide the verdict: {each}\n" in said
    assert not [line for line in text.splitlines() if line.startswith(("#   duration", "#   workload.arrivals"))]
    assert run_command(["import", str(tmp_path / "taurus.yml")]) == 0
    part = capsys.readouterr()
    assert "template" not in part.out + part.err


def test_json_holds_all_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.yml").write_text(RULES)
    assert run_command(["import", str(tmp_path / "rules.yml"), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert (listed["format"], list(listed["part"])) == ("Prometheus rules", ["alerts"])
    assert [each["line"] for each in listed["untranslated"]] == [7]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\n", ":1:1: this is none of: "),
        ("a: [\n", ":2:1: not YAML: "),
        (RULES.replace("> 100", ">"), ":4:11: expr is not PromQL"),
        ("// A test.\nimport http from 'k6/http';\nexport const options = {a: 1};\n", ":2:1: this is JavaScript"),
        (
            "export default function () {}\n",
            ":1:1: this is JavaScript, not YAML or JSON (import options of k6 as JSON: `k6",
        ),
        ("a: |\n  const a = 1\nb: [\n", ":4:1: not YAML"),
        ("/* a */\n\nconst a = {\n b: [1,\n", ":3:1: this is JavaScript"),
    ],
)
def test_bad_input_is_refused(tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "odd.yml"
    path.write_text(text)
    assert run_command(["import", str(path), "-o", str(tmp_path / "part.yaml")]) == 2
    assert capsys.readouterr().err.startswith(f"{path}{said}")
    assert not (tmp_path / "part.yaml").exists()


@given(st.floats(0, 1e8) | st.integers(0, 10**9).map(lambda number: number / 1000))
def test_a_duration_reads_back(seconds: float) -> None:
    rounded = float(f"{seconds:.9f}")
    assert units.duration(duration_text(rounded)) == rounded


@pytest.mark.parametrize("unit", [Unit.RATIO, Unit.COUNT, Unit.RATE, Unit.SIZE, Unit.DURATION])
@given(number=st.integers(0, 10**6), digits=st.integers(0, 6))
def test_a_target_reads_back(unit: Unit, number: int, digits: int) -> None:
    value = number / 10**digits
    if unit is Unit.RATIO and value > 1:
        return
    assert unit.parse(target_text(unit, value)) == pytest.approx(value, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("10s", 10), ("1h30m", 5400), ("2s500ms", 2.5), ("90", 90), (1.5, 1.5), ("1d", 86400), ("3 min", 180)),
        *((text, None) for text in ("", "soon", "-1s", True)),
    ],
)
def test_durations_of_others(text: object, seconds: float | None) -> None:
    assert seconds_of(text) == seconds
