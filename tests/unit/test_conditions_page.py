"""The page on objectives and conditions: every example is part of a scenario that runs, or of a gate that is read."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from soak.runner.api import simulate_scenario
from soak.schemas.language.gate import load_gate
from soak.schemas.language.load import load

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "conditions.md").read_text(encoding="utf-8"), re.DOTALL)
WHOLE = yaml.safe_load((ROOT / "tests" / "scenarios" / "valid" / "conditions.yaml").read_text(encoding="utf-8"))
DEMANDS = ("slis", "slos", "abort", "alerts")
CALLS: dict[str, Any] = {
    "system": "calls",
    "workload": {"arrivals": {"rate": "30/min"}},
    "calls": {"dependencies": [{"name": "stock", "latency": {"distribution": "constant", "value": "1s"}}]},
}


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_it_runs(example: str, tmp_path: Path) -> None:
    data, path = yaml.safe_load(example), tmp_path / "example.yaml"
    if "rules" in data:
        path.write_text(yaml.safe_dump({"version": 1, "name": "example", **data}))
        assert load_gate(path).rules
        return
    rest = {key: value for key, value in WHOLE.items() if key not in DEMANDS}
    if "call." in example:
        rest = {key: value for key, value in rest.items() if key not in {"queue", "faults", "workload"}} | CALLS
    path.write_text(yaml.safe_dump({"slos": ["success_rate >= 1%"], **rest, **data, "duration": "4h"}))
    loaded = load(path)
    verdict, _ = simulate_scenario(path)
    assert verdict.verdict.exit_code in {0, 3}
    assert len(verdict.objectives) == len(loaded.scenario.objectives)
    assert [each for each in verdict.objectives if each.value is None] == []
