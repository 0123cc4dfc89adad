"""The examples of docs/http.md run, and are on the page as they are."""

from pathlib import Path

import pytest
import yaml

from soak.runner.api import simulate_scenario

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLES = sorted((DOCS / "examples" / "http").glob("*.yaml"))
PAGE = (DOCS / "http.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_passes_simulated(path: Path) -> None:
    verdict, _ = simulate_scenario(path)
    assert verdict.verdict.value == "PASS", verdict.reasons
    assert f"(examples/http/{path.name})" in PAGE


def test_the_first_one_is_on_the_page() -> None:
    begin = PAGE.index("    version: 1\n    name: first\n")
    shown = yaml.safe_load(PAGE[begin : PAGE.index("\n\n", begin)].replace("\n    ", "\n").removeprefix("    "))
    example = yaml.safe_load((DOCS / "examples" / "http" / "first.yaml").read_text(encoding="utf-8"))
    assert shown == {key: value for key, value in example.items() if key != "drain"}
