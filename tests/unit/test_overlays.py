"""Overlays: what they merge and replace, in which order they apply, and where their mistakes are said to stand."""

from pathlib import Path

import pytest
import yaml

from soak.runner.cli import run_command
from soak.schemas.errors import Mark, ScenarioError, UsageError
from soak.schemas.language.distributions import Empirical, Exponential
from soak.schemas.language.document import parse_document
from soak.schemas.language.load import Loaded, load
from soak.schemas.language.overrides import apply_overlay
from soak.schemas.systems.queue.settings import queue_of

SHIPPED = Path(__file__).resolve().parents[2] / "scenarios" / "72h.yaml"
BASE = """\
name: base
queue: {workers: 4, retry: {backoff: [1m, 3m]}}
faults:
  - {name: net, type: transient_error, rate: 1%, errors: [a, b]}
  - {name: lock, rate: 2%}
slos: [success_rate >= 97%, latency_p95 <= 1m]
"""


def merged(overlay: str) -> dict[str, object]:
    data = apply_overlay(parse_document(BASE, "f"), parse_document(overlay, "o")).data
    assert isinstance(data, dict)
    return dict(data)


def loaded(tmp_path: Path, *overlays: str, settings: tuple[str, ...] = (), tier: str | None = None) -> Loaded:
    paths = []
    for number, text in enumerate(overlays):
        paths.append(tmp_path / f"{number}.yaml")
        paths[-1].write_text(text)
    return load(SHIPPED, tier=tier, overlays=paths, settings=settings)


def refusal(tmp_path: Path, overlay: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        loaded(tmp_path, overlay)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_entries_with_a_name_are_merged_by_it() -> None:
    data = merged("faults: [{name: lock, rate: 5%}, {name: new, type: db_lock, rate: 1%}]")
    assert data["faults"] == [
        {"name": "net", "type": "transient_error", "rate": "1%", "errors": ["a", "b"]},
        {"name": "lock", "rate": "5%"},
        {"name": "new", "type": "db_lock", "rate": "1%"},
    ]


def test_lists_without_names_are_replaced() -> None:
    data = merged("{slos: [success_rate >= 90%], queue: {retry: {backoff: [5s]}}, faults: [{name: net, errors: [c]}]}")
    assert data["slos"] == ["success_rate >= 90%"]
    assert data["queue"] == {"workers": 4, "retry": {"backoff": ["5s"]}}
    assert data["faults"][0] == {"name": "net", "type": "transient_error", "rate": "1%", "errors": ["c"]}  # type: ignore[index]


def test_an_empty_list_removes_all_entries() -> None:
    assert merged("faults: []")["faults"] == []


def test_what_an_overlay_changes_stands_in_the_overlay() -> None:
    overlay = parse_document("faults:\n  - {name: new, rate: 3%}\n  - name: lock\n    rate: 5%\n", "o")
    document = apply_overlay(parse_document(BASE, "f"), overlay)
    assert document.mark(("faults", 1, "rate")) == Mark("o", 4, 11)
    assert document.mark(("faults", 2, "rate")) == Mark("o", 2, 23)
    assert document.keys["faults", 1, "rate"] == Mark("o", 4, 5)
    assert document.mark(("faults", 0, "rate")).source == "f"


def test_an_overlay_leaves_both_documents_as_they_were() -> None:
    base, overlay = parse_document(BASE, "f"), parse_document("faults: [{name: net, rate: 3%}]", "o")
    result = apply_overlay(base, overlay)
    result.data["faults"][0]["rate"] = "9%"  # type: ignore[index,call-overload]
    assert base.data == parse_document(BASE, "f").data
    assert overlay.data == {"faults": [{"name": "net", "rate": "3%"}]}


def test_another_distribution_replaces_the_old_one(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, "workload: {task: {duration: {distribution: exponential, mean: 9s}}}").scenario
    assert scenario.workload.service == Exponential(9.0)


def test_a_parameter_of_the_same_distribution_is_merged(tmp_path: Path) -> None:
    service = loaded(tmp_path, "workload: {task: {duration: {median: 9s}}}").scenario.workload.service
    assert (service.median_s, service.p95_s) == (9.0, 20.0)  # type: ignore[union-attr]


def test_the_order_is_tier_overlays_settings(tmp_path: Path) -> None:
    first, second = "{duration: 3h, queue: {workers: 5}}", "{queue: {workers: 6, dispatchers: 2}}"
    scenario = loaded(tmp_path, first, second, settings=("queue.dispatchers=3",), tier="pr").scenario
    assert (scenario.duration_s, queue_of(scenario).workers, queue_of(scenario).dispatchers) == (3 * 3600, 6, 3)
    assert loaded(tmp_path, first, settings=("faults.transient.rate=1%",)).scenario.faults[0].rate == 0.01


def test_an_overlay_with_nothing_but_own_keys_is_kept_with_the_scenario(tmp_path: Path) -> None:
    run = loaded(tmp_path, "x-from: somewhere")
    assert run.scenario == load(SHIPPED).scenario
    assert run.data["x-from"] == "somewhere"
    assert run.overridden and run.sha256 != load(SHIPPED).sha256


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        ("queue:\n  wokers: 3\n", "0.yaml:2:3: queue.wokers: unknown key 'wokers' (did you mean 'workers'?)"),
        ("queue: {workers: many}\n", "0.yaml:1:18: queue.workers: 'many' is not"),
        ("faults:\n  - name: transient\n    rate: 900%\n", "0.yaml:3:11: faults[0].rate: "),
        ("faults:\n  - {name: new, rate: 1%}\n", "0.yaml:2:5: faults[4]: needs the key 'type'"),
        ("faults: [{name: db-lock, rate: x}]", "0.yaml:1:32: faults[1].rate: "),
        ("- 1\n", "0.yaml:1:1: an overlay must be a mapping (write it like queue: {workers: 2})"),
        ("queue: {workers: 010}\n", "0.yaml:1:18: queue.workers: "),
        ("queue: [\n", "0.yaml:2:1: not YAML: "),
        ("workload: {task: {duration: {distribution: exponential}}}", "0.yaml:1:29: workload.task.duration: "),
    ],
)
def test_a_mistake_in_an_overlay_is_told_where_it_stands(tmp_path: Path, overlay: str, said: str) -> None:
    assert refusal(tmp_path, overlay).startswith(said)


def test_a_mistake_of_the_scenario_is_told_in_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SHIPPED.read_text().replace("workers: 10", "workers: many"))
    (tmp_path / "o.yaml").write_text("queue: {dispatchers: none}")
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path / "s.yaml", overlays=[tmp_path / "o.yaml"])
    assert [Path(each.source).name for each in caught.value.problems] == ["o.yaml", "s.yaml"]


def test_an_overlay_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml"):
        load(SHIPPED, overlays=[tmp_path / "none.yaml"])


def test_files_of_an_overlay_are_beside_it_and_go_with_the_evidence(tmp_path: Path) -> None:
    folder = tmp_path / "calibrated"
    folder.mkdir()
    (folder / "times.txt").write_text("1\n2\n")
    (folder / "o.yaml").write_text("workload: {task: {duration: {distribution: empirical, file: times.txt, unit: s}}}")
    run = load(SHIPPED, overlays=[folder / "o.yaml"])
    assert run.scenario.workload.service == Empirical("times.txt", (1.0, 2.0))
    words = [str(SHIPPED), "--overlay", str(folder / "o.yaml"), "--tier", "pr", "--out", str(tmp_path / "run")]
    assert run_command(["run", *words]) == 0
    assert (tmp_path / "run" / "times.txt").read_text() == "1\n2\n"
    assert load(tmp_path / "run" / "scenario.yaml").scenario.workload == run.scenario.workload
    assert run_command(["verify", str(tmp_path / "run")]) == 0


def test_commands_that_take_settings_take_overlays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overlay = tmp_path / "o.yaml"
    overlay.write_text("queue: {workers: 2}\n")
    assert run_command(["plan", str(SHIPPED), "--overlay", str(overlay)]) == 0
    assert "of 2 workers" in capsys.readouterr().out
    assert run_command(["monitoring", str(SHIPPED), "--overlay", str(overlay), "--out", str(tmp_path / "m")]) == 0
    run_command(["run", str(SHIPPED), "--tier", "pr", "--overlay", str(overlay), "--out", str(tmp_path / "r")])
    assert yaml.safe_load((tmp_path / "r" / "scenario.yaml").read_text())["queue"]["workers"] == 2


def test_validating_with_an_overlay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("queue: {workers: 2}\n")
    bad.write_text("queue: {wokers: 2}\n")
    assert run_command(["validate", str(SHIPPED), "--overlay", str(good)]) == 0
    assert capsys.readouterr().out == f"{SHIPPED}: valid with {good}\n"
    assert run_command(["validate", str(SHIPPED), "--overlay", str(bad)]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith(f"{bad}:1:9: queue.wokers")
    assert run_command(["validate", str(SHIPPED), "--overlay", str(tmp_path / "none.yaml")]) == 2
    assert capsys.readouterr().err.startswith(f"{tmp_path / 'none.yaml'}: No such file")
