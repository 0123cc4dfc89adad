"""JSON Schemas as editors and SchemaStore find them: each has an address of its own, and the catalogue names them."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from commands import soak
from jsonschema import Draft202012Validator

from soak.schemas.files import DIRECTORY
from soak.schemas.language.registry import OURS
from soak.schemas.language.schema import _scenario

ROOT = Path(__file__).resolve().parents[2]
SITE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Documentation"]
SCHEMAS = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(DIRECTORY.glob("*.schema.json"))}
CATALOG = json.loads((DIRECTORY / "catalog.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "editors.md").read_text(encoding="utf-8")
BY_KIND = {"soak": "scenario", "soak-gate": "gate", "soak-target": "target"}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_lies_where_its_id_says(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$id"] == f"{SITE}/schemas/{name}"


def test_a_schema_with_systems_of_others_is_not_the_published_one() -> None:
    assert _scenario(tuple(OURS))["$id"] == SCHEMAS["scenario.schema.json"]["$id"]
    assert "$id" not in _scenario(tuple(OURS)[:1])


def test_the_catalogue_names_what_people_write() -> None:
    by_url = {each["$id"]: name for name, each in SCHEMAS.items()}
    assert {by_url[each["url"]] for each in CATALOG["schemas"]} == {f"{kind}.schema.json" for kind in BY_KIND.values()}
    for each in CATALOG["schemas"]:
        assert set(each) == {"name", "description", "fileMatch", "url"}
        assert not each["description"].endswith(".") and len(each["description"]) < 120
        # A pattern that takes files of others would have editors complain about those.
        assert [pattern for pattern in each["fileMatch"] if "soak" not in pattern] == []
    patterns = [pattern for each in CATALOG["schemas"] for pattern in each["fileMatch"]]
    assert len(set(patterns)) == len(patterns)
    assert soak("schema", "--catalog").stdout == (DIRECTORY / "catalog.json").read_text(encoding="utf-8")


def test_the_lines_for_editors_name_schemas_that_are_there() -> None:
    lines = re.findall(r"# yaml-language-server: \$schema=(\S+)", PAGE)
    assert len(lines) >= 2
    assert [line for line in lines if Path(line).name not in SCHEMAS] == []
    assert [line for line in lines if "//" in line and not line.startswith(f"{SITE}/schemas/")] == []


def test_the_settings_of_editors_are_what_they_take() -> None:
    blocks = re.findall(r"^```(json|toml|yaml|lua)\n(.*?)^```$", PAGE, re.M | re.S)
    assert {kind for kind, _ in blocks} == {"json", "toml", "yaml", "lua"}
    for kind, text in blocks:
        if kind == "json":
            settings = json.loads(text)["yaml.schemas"]
        elif kind == "toml":
            server = tomllib.loads(text)["language-server"]["yaml-language-server"]
            settings = server["config"]["yaml"]["schemas"]
        else:
            continue
        assert settings and [name for name in settings if Path(name).name not in SCHEMAS] == []
    (scenario,) = [text for kind, text in blocks if kind == "yaml"]
    assert yaml.safe_load(scenario)["version"] == 1
