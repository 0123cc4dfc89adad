"""Tiers and `--set`: what they change, what they leave, where their problems are said to stand."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.schemas.errors import Mark, ScenarioError, SoakError
from soak.schemas.language.document import parse_document
from soak.schemas.language.load import load
from soak.schemas.language.overrides import apply_settings, apply_tier
from soak.schemas.systems.queue.settings import queue_of

SHIPPED = Path(__file__).resolve().parents[2] / "scenarios" / "72h.yaml"
TEXT = """\
name: base
duration: 72h
queue: {workers: 4, retry: {backoff: [1m, 3m]}}
faults:
  - {name: net, rate: 1%}
  - {name: lock, rate: 2%}
tiers:
  pr:
    duration: 5m
    queue: {retry: {backoff: [1s]}, lease: {duration: 1m}}
    faults: [{name: only}]
"""


def refusal(*given_settings: str, tier: str | None = None) -> str:
    """What is said of the shipped scenario with these overrides."""
    with pytest.raises(ScenarioError) as caught:
        load(SHIPPED, tier=tier, settings=given_settings)
    return str(caught.value).replace(str(SHIPPED), SHIPPED.name)


# Tiers.


def test_a_tier_merges_mappings_and_replaces_all_else() -> None:
    data = apply_tier(parse_document(TEXT, "f"), "pr").data
    assert isinstance(data, dict)
    assert data["duration"] == "5m"
    assert data["queue"] == {"workers": 4, "retry": {"backoff": ["1s"]}, "lease": {"duration": "1m"}}
    assert data["faults"] == [{"name": "only"}]
    assert data["name"] == "base"


def test_what_a_tier_changes_stands_in_the_tier() -> None:
    document = apply_tier(parse_document(TEXT, "f"), "pr")
    assert document.mark(("duration",)) == Mark("f", 9, 15)
    assert document.mark(("queue", "retry", "backoff", 0)) == Mark("f", 10, 31)
    assert document.mark(("queue", "workers")) == Mark("f", 3, 18)
    assert document.keys["queue", "lease"] == Mark("f", 10, 37)
    # The rate of the fault that was replaced stands nowhere any more.
    assert document.mark(("faults", 0, "rate")) == document.mark(("faults", 0)) == Mark("f", 11, 14)


def test_overrides_leave_the_document_as_it_was() -> None:
    document = parse_document(TEXT, "f")
    apply_tier(document, "pr")
    apply_settings(document, ["faults.net.rate=9%", "queue.workers=9"])
    assert document == parse_document(TEXT, "f")


def test_an_unknown_tier_is_refused() -> None:
    assert refusal(tier="nightli") == "72h.yaml:47:3: tiers: no tier 'nightli' (did you mean 'nightly'?)"
    assert refusal(tier="") == "72h.yaml:47:3: tiers: no tier '' (write one of: nightly, pr)"


def test_a_scenario_without_tiers_says_so(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    path.write_text(SHIPPED.read_text(encoding="utf-8").partition("\ntiers:")[0], encoding="utf-8")
    with pytest.raises(ScenarioError, match="the scenario declares no tiers"):
        load(path, tier="pr")


@pytest.mark.parametrize("tier", ["3", "[pr]", ""])
def test_a_tier_that_is_no_mapping_leaves_one_problem(tmp_path: Path, tier: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(SHIPPED.read_text(encoding="utf-8") + f"  odd: {tier}\n", encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load(path, tier="odd")
    assert [problem.where for problem in caught.value.problems] == ["tiers.odd"]


# Single values.


def test_a_setting_replaces_one_value() -> None:
    settings_ = ["queue.workers=9", "faults.lock.rate=5%", "faults.0.rate=7%", "queue.lease.duration=3m", "seed=3"]
    data = apply_settings(parse_document(TEXT, "f"), settings_).data
    assert isinstance(data, dict)
    assert data["queue"] == {"workers": 9, "retry": {"backoff": ["1m", "3m"]}, "lease": {"duration": "3m"}}
    assert data["faults"] == [{"name": "net", "rate": "7%"}, {"name": "lock", "rate": "5%"}]
    assert data["seed"] == 3


def test_a_setting_may_be_a_whole_mapping_and_comes_after_the_tier() -> None:
    loaded = load(SHIPPED, tier="pr", settings=["queue.lease={duration: 5m, heartbeat: 1m}", "duration=3h"])
    assert (queue_of(loaded.scenario).lease_s, queue_of(loaded.scenario).heartbeat_s) == (300.0, 60.0)
    assert loaded.scenario.duration_s == 10_800.0
    assert (loaded.overridden, loaded.tier) == (True, "pr")


def test_what_is_set_to_what_it_was_changes_nothing() -> None:
    assert load(SHIPPED, settings=["queue.workers=10", "duration=72h"]).sha256 == load(SHIPPED).sha256


KNOWN_FAULTS = "(write one of: db-lock, duplicates, over-budget, transient)"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("queue", "is not KEY=VALUE (write it like --set queue.workers=2)"),
        ("=3", "is not KEY=VALUE (write it like --set queue.workers=2)"),
        ("a..b=1", "is not KEY=VALUE (write it like --set queue.workers=2)"),
        ("queue=3", "queue: 3 is not a mapping (write a mapping such as {workers: 10})"),
        ("queue.wrkers=3", "queue.wrkers: unknown key 'wrkers' (did you mean 'workers'?)"),
        ("que.workers=3", "que: unknown key 'que' (did you mean 'queue'?)"),
        ("name.first=x", "name.first: name is a single value (use an existing key)"),
        ("faults.0.rate=", "faults[0].rate: has no value (write one after the =, in quotes if it is text)"),
        ("title=# 1", "title: has no value (write one after the =, in quotes if it is text)"),
        (
            "seed=1_0",
            "seed: 1_0 is a number to some YAML parsers and text to others (write the number without underscores)",
        ),
        ("faults.9.rate=1%", f"faults: has no entry '9' {KNOWN_FAULTS}"),
        ("faults.²=1", f"faults: has no entry '²' {KNOWN_FAULTS}"),
        ("faults.db-lok.rate=1%", "faults: has no entry 'db-lok' (did you mean 'db-lock'?)"),
        ("slos.7=x", "slos: has no entry '7' (write one of: 0, 1, 2, 3)"),
        ("slos.0=success_rate >= 97", "slos[0]: '97' is not a ratio (write 97% or 0.97)"),
        ("tiers=3", "tiers: 3 is not a mapping (write a mapping such as {nightly: {duration: 24h}})"),
        ("title=*x", "title: no anchor above has this name (write the anchor, such as &retries, before its aliases)"),
        ("drain=-1h", "drain: '-1h' is not a duration (write a duration such as 30s, 5m or 1h30m)"),
    ],
)
def test_a_setting_that_cannot_be(setting: str, said: str) -> None:
    assert refusal(setting) == f"--set {setting}: {said}"


def test_a_setting_that_is_not_yaml_names_no_line() -> None:
    assert refusal("queue=[1").startswith("--set queue=[1: queue: not YAML: ")


def test_all_settings_are_told_at_once() -> None:
    assert len(refusal("nope", "queue.workers=0.5", "faults.x=1").splitlines()) == 2
    assert len(refusal("queue.workers=0.5", "seed=x").splitlines()) == 2


def test_an_unprintable_setting_is_told_on_one_line() -> None:
    assert refusal("title=a\0b") == "--set title=a�b: title: the control character U+0000 is not allowed (remove it)"
    assert refusal("seed=\udcff").endswith("seed: character 1 is not UTF-8 (write it as UTF-8)")


PATHS = st.lists(
    st.sampled_from(["queue", "faults", "slos", "tiers", "0", "99", "transient", "workers", "x-y", "name", "", "é"]),
    min_size=1,
    max_size=4,
).map(".".join)
VALUES = st.sampled_from(["1", "no", "{}", "[]", "[{name: [1]}]", "{a: {b: c}}", "'", "9" * 5000, ""]) | st.text(
    max_size=8
)


@given(st.lists(st.tuples(PATHS, st.sampled_from(["=", ""]), VALUES).map("".join), min_size=1, max_size=3))
def test_any_setting_is_taken_or_refused_in_words(chosen: list[str]) -> None:
    try:
        load(SHIPPED, settings=chosen)
    except SoakError as error:
        assert all(line.endswith(")") for line in str(error).split("\n"))


@given(st.sampled_from(["queue", "x-a", "faults.net", "faults.1"]), st.integers(-9, 9) | st.text("abc", min_size=1))
def test_what_is_set_is_there(path: str, value: int | str) -> None:
    document = apply_settings(parse_document(TEXT, "f"), [f"{path}.key={value}"])
    data: object = document.data
    for step in {"faults.net": ("faults", 0), "faults.1": ("faults", 1)}.get(path, (path,)):
        data = data[step]  # type: ignore[index]
    assert isinstance(data, dict)
    assert data["key"] == value
