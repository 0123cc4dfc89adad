"""The scenario reference: it is what its script generates, its links lead somewhere, its examples load."""

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from soak.runner.judge.judge import Judge
from soak.schemas.evidence.verdict import Outcome
from soak.schemas.files import DIRECTORY
from soak.schemas.language.load import load
from soak.schemas.language.registry import catalogues
from soak.schemas.stream.events import TYPES
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCRIPT = DOCS / "generate_reference.py"
PAGE = (DOCS / "scenario-reference.md").read_text(encoding="utf-8")
SCHEMA = json.loads((DIRECTORY / "scenario.schema.json").read_text(encoding="utf-8"))


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_reference", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = _script()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)
WHOLE = yaml.safe_load(REFERENCE.EXAMPLE)
BASE = WHOLE | {
    "workload": yaml.safe_load(REFERENCE.EXAMPLES["workload.tenants"])["workload"],
    "faults": yaml.safe_load(REFERENCE.EXAMPLES["faults"])["faults"],
    "phases": yaml.safe_load(REFERENCE.OBJECTIVES_EXAMPLE)["phases"],
    "tiers": {},
}
"""What the examples that show a part of a scenario are parts of."""


def test_the_page_is_what_the_script_generates() -> None:
    assert REFERENCE.page() == PAGE, "run `python docs/generate_reference.py`"


def test_the_composed_schema_is_what_the_script_generates() -> None:
    assert REFERENCE.written(REFERENCE.SCENARIO) == REFERENCE.COMPOSED.read_text(encoding="utf-8"), "run the script"


def test_the_script_writes_the_page(tmp_path: Path) -> None:
    copy = tmp_path / SCRIPT.name
    copy.write_text(SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
    subprocess.run([sys.executable, str(copy)], check=True, cwd=DIRECTORY.parent)
    assert (tmp_path / "scenario-reference.md").read_text(encoding="utf-8") == PAGE


def test_links_lead_to_headings_and_files() -> None:
    headings = re.findall(r"^#+ (.+)$", PAGE, re.M)
    anchors = [REFERENCE.slug(heading) for heading in headings]
    assert len(set(anchors)) == len(anchors)
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        else:
            assert (DOCS / target).exists(), target


def test_every_section_is_in_the_contents() -> None:
    contents = PAGE.partition("\n## ")[0]
    for heading in re.findall(r"^##+ (.+)$", PAGE, re.M):
        assert f"](#{REFERENCE.slug(heading)})" in contents


def test_tables_are_well_formed() -> None:
    for table in re.findall(r"(?:^\|.*\n)+", PAGE, re.M):
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(columns) == 1, table


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.split(":")[0][:20])
def test_examples_load(text: str, tmp_path: Path) -> None:
    (tmp_path / "service_times.txt").write_text("1.5\n2.5\n", encoding="utf-8")
    path = tmp_path / "scenario.yaml"
    data = yaml.safe_load(text)
    part = (WHOLE if "tiers" in data else BASE) | data
    # The complete example goes as it stands, comments and all.
    path.write_text(text if "version" in data else yaml.safe_dump(part, sort_keys=False), encoding="utf-8")
    assert load(path).scenario.name == "flaky-dependency"


def test_the_documented_alert_fires_on_the_documented_fault(tmp_path: Path) -> None:
    """On the load of the first example, with the fault and the alert just as the page has them."""
    (alerts,) = [yaml.safe_load(text)["alerts"] for text in EXAMPLES if text.startswith("alerts:")]
    (faults,) = [yaml.safe_load(text)["faults"] for text in EXAMPLES if text.startswith("faults:")]
    asked = [alert for alert in alerts if isinstance(alert.get("expect"), dict)]
    causes = {alert["expect"]["of"] for alert in asked}
    parts = {"alerts": asked, "faults": [fault for fault in faults if fault["name"] in causes], "tiers": {}}
    path = tmp_path / "scenario.yaml"
    path.write_text(yaml.safe_dump(WHOLE | parts, sort_keys=False), encoding="utf-8")
    scenario = load(path).scenario
    plan = Plan(scenario)
    judge = Judge(scenario, plan.vocabulary)
    for block in simulate(plan):
        list(judge.observe(block))
    firings = [guard.timer.firings for _, guard in judge.alerts]
    (window,) = scenario.faults[0].windows
    assert [len(each) for each in firings] == [1]
    (only,) = firings[0]
    assert window.start_s < only.fired_s <= window.start_s + 120
    assert only.resolved_s is not None
    assert only.resolved_s <= window.end_s + 600


def test_overrides_in_commands_apply(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(REFERENCE.EXAMPLE, encoding="utf-8")
    settings = re.findall(r"--set '([^']+)'|--set (\S+)", REFERENCE.SETTINGS.partition("```sh")[2])
    assert settings
    assert load(path, tier="pr", settings=[quoted or plain for quoted, plain in settings]).overridden


def _keys(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for value in schema.values():
            yield from _keys(value)


def test_every_key_of_a_scenario_is_on_the_page() -> None:
    told = set(re.findall(r"^\| (?:\[)?`(?:[a-z_]+\.)*([a-z_]+)`", PAGE, re.M))
    in_words = {"distribution", *SCHEMA["$defs"]["distribution"]["properties"]}
    assert set(_keys(SCHEMA)) - in_words <= told
    assert all(f"`{key}`" in PAGE for key in in_words)


def test_every_word_of_a_scenario_is_on_the_page() -> None:
    words = {str(word) for enum in _enums(SCHEMA) for word in enum}
    assert {word for word in words if f"`{word}`" not in PAGE} == set()


def _enums(schema: Any) -> Iterator[list[object]]:
    if isinstance(schema, dict):
        if isinstance(schema.get("enum"), list):
            yield schema["enum"]
        for value in schema.values():
            yield from _enums(value)


def test_every_indicator_event_and_verdict_is_on_the_page() -> None:
    rows = set(re.findall(r"^\| `?([\w.]+)`? \|", PAGE, re.M))
    indicators = {name for slis in catalogues().values() for name in slis}
    assert rows >= indicators | set(TYPES) | set(Outcome)
