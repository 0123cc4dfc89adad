"""Fragments: what is merged and joined, where their mistakes are said to be, and which files cannot be fragments."""

from pathlib import Path

import pytest

from soak.runner.cli import run_command
from soak.schemas.errors import ScenarioError
from soak.schemas.language import include
from soak.schemas.language.distributions import Empirical
from soak.schemas.language.load import Loaded, load

BASE = """\
version: 1
name: base
system: queue
duration: 1h
include: [{include}]
workload:
  arrivals: {{rate: 5/min}}
  task: {{duration: {{distribution: constant, value: 3s}}}}
"""


def written(folder: Path, include: str, more: str = "", **fragments: str) -> Path:
    """A scenario with fragments, each a file `<name>.yaml`; `__` in a name is a folder."""
    for name, text in fragments.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    path = folder / "base.yaml"
    path.write_text(BASE.format(include=include) + more)
    return path


def loaded(folder: Path, include: str, more: str = "", **fragments: str) -> Loaded:
    return load(written(folder, include, more, **fragments))


def refusal(folder: Path, include: str, more: str = "", **fragments: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        loaded(folder, include, more, **fragments)
    return str(caught.value).replace(f"{folder}/", "")


def test_lists_are_joined_and_entries_merged_by_name(tmp_path: Path) -> None:
    more = """\
slos: [latency_p95 <= 1m]
faults: [{name: crash, rate: 2%}, {name: lock, type: db_lock, rate: 1%}]
queue: {retry: {backoff: [5s]}}
"""
    common = """\
slos: [success_rate >= 90%]
faults: [{name: flaky, type: transient_error, rate: 5%}, {name: crash, type: worker_crash, rate: 1%}]
queue: {workers: 3, retry: {max_attempts: 2, backoff: [1m, 3m]}}
"""
    data = loaded(tmp_path, "common.yaml", more, common=common).data
    assert list(data)[:3] == ["version", "name", "system"] and "include" not in data
    assert data["slos"] == ["success_rate >= 90%", "latency_p95 <= 1m"]
    assert [(each["name"], each["rate"]) for each in data["faults"]] == [
        ("flaky", "5%"),
        ("crash", "2%"),
        ("lock", "1%"),
    ]
    assert data["queue"] == {"workers": 3, "retry": {"max_attempts": 2, "backoff": ["5s"]}}


def test_a_later_fragment_is_merged_over_an_earlier_one_and_each_is_read_once(tmp_path: Path) -> None:
    again = "include: [c.yaml]\nslos: [duplicate_executions == 0]\n"
    found = loaded(
        tmp_path,
        "a.yaml, sub/b.yaml, sub/c.yaml",
        a="seed: 1\ntitle: a\n",
        sub__b=again,
        sub__c="seed: 2\nslos: [success_rate >= 90%]\n",
    )
    assert (found.data["seed"], found.data["title"]) == (2, "a")
    assert found.data["slos"] == ["success_rate >= 90%", "duplicate_executions == 0"]
    assert found.included == ("a.yaml", "sub/b.yaml", "sub/c.yaml")


def test_a_scenario_with_a_fragment_is_the_one_without(tmp_path: Path) -> None:
    """Splitting a scenario changes nothing of it: neither what it is nor its hash."""
    whole = tmp_path / "whole"
    whole.mkdir()
    text = BASE.replace("include: [{include}]\n", "slos: [success_rate >= 90%]\nqueue: {{workers: 3}}\n").format()
    (whole / "base.yaml").write_text(text)
    one = load(whole / "base.yaml")
    two = loaded(tmp_path, "c.yaml", "slos: [success_rate >= 90%]\n", c="queue: {workers: 3}\nseed: 1\n")
    three = loaded(tmp_path, "c.yaml", "slos: [success_rate >= 90%]\n", c="queue: {workers: 3}\n")
    assert one.scenario == three.scenario and one.sha256 == three.sha256
    assert one.sha256 != two.sha256


def test_mistakes_are_in_the_fragment(tmp_path: Path) -> None:
    said = refusal(
        tmp_path,
        "sub/a.yaml, b.yaml",
        "slos: [success_rate >= x]\n",
        sub__a="seed: 1\nslos:\n  - latency_p95 <= 1\n",
        b="qeue: {}\nseed: 1\nseed: 2\n",
    )
    assert [line.split(": ")[0] for line in said.splitlines()] == [
        "b.yaml:1:1",
        "b.yaml:3:1",
        "base.yaml:9:8",
        "sub/a.yaml:3:5",
    ]


@pytest.mark.parametrize(
    ("fragment", "said"),
    [
        ("a: [", "a.yaml:2:1: not YAML"),
        ("", "a.yaml:1:1: the file is empty"),
        ("include: [a.yaml]", "a.yaml:1:11: include[0]: 'a.yaml' includes itself"),
        ("include: [b.yaml]", "b.yaml:1:11: include[0]: 'a.yaml' includes itself"),
        ("include: 5", "a.yaml:1:10: include: 5 is not a list"),
        ("include: [../x.yaml]", "a.yaml:1:11: include[0]: '../x.yaml' is outside the folder of the scenario"),
    ],
)
def test_a_fragment_that_is_none(tmp_path: Path, fragment: str, said: str) -> None:
    assert refusal(tmp_path, "a.yaml", a=fragment, b="include: [a.yaml]").startswith(said)


def test_a_link_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside.yaml"
    inside.mkdir()
    outside.write_text("seed: 1\n")
    (inside / "link.yaml").symlink_to(outside)
    assert "'link.yaml' leads out of the folder of the scenario" in refusal(inside, "link.yaml")


def test_fragments_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nested = {f"f{n}": f"include: [f{n + 1}.yaml]\n" for n in range(include.MAX_LEVELS)}
    last = f"f{include.MAX_LEVELS}"
    assert "f4.yaml:1:11: include[0]: 'f5.yaml' is more than 5 fragments deep" in refusal(
        tmp_path, "f0.yaml", **nested, **{last: "seed: 1\n"}
    )
    assert loaded(tmp_path, "f1.yaml", **nested, **{last: "seed: 5\n"}).data["seed"] == 5
    big = "x-big: [" + "1, " * 6_000 + "1]\n"
    said = "the scenario and its fragments are more than 10,000 values"
    assert said in refusal(tmp_path, "a.yaml, b.yaml", a=big, b=big.replace("big", "more"))


def test_the_scenario_as_run_is_stored_whole(tmp_path: Path) -> None:
    (tmp_path / "times.txt").write_text("1\n2\n")
    task = "workload: {task: {duration: {distribution: empirical, file: times.txt, unit: s}}}\n"
    path = written(tmp_path, "sub/a.yaml", sub__a="queue: {workers: 3}\n")
    path.write_text(path.read_text().replace("  task: {duration: {distribution: constant, value: 3s}}\n", ""))
    (tmp_path / "sub/a.yaml").write_text(task)
    out = tmp_path / "out"
    assert run_command(["run", str(path), "--duration", "5m", "--out", str(out)]) in {0, 5}
    stored = load(out / "scenario.yaml")
    assert "include" not in stored.data and isinstance(stored.scenario.workload.service, Empirical)
    assert stored.sha256 == load(path, settings=("duration=5m",)).sha256
    assert run_command(["verify", str(out)]) == 0
