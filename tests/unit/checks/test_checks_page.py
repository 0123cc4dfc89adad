"""The page on checks: every example is part of a scenario that loads, and what it says of files is so."""

import re
from pathlib import Path

import pytest
import yaml

from soak.schemas.language.check import When, check_slis
from soak.schemas.language.check_checks import KNOWN
from soak.schemas.language.load import load

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
REST = {
    "version": 1,
    "name": "example",
    "system": "queue",
    "duration": "1h",
    "workload": {"arrivals": {"rate": "30/min"}, "task": {"duration": {"distribution": "exponential", "mean": "1s"}}},
}


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_it_loads(example: str, tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(yaml.safe_dump({**REST, **yaml.safe_load(example)}))
    scenario = load(path).scenario
    assert scenario.checks or scenario.teardown
    assert {sli.name for sli in check_slis(scenario.checks)} <= scenario.slis.keys()


def test_it_names_every_time_and_every_name_in_braces() -> None:
    assert [each for each in When if f"`{each.value}" not in PAGE] == []
    assert [each for each in KNOWN if f"`{{{each}}}`" not in PAGE] == []
