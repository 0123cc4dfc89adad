"""What contributors and their tools read besides the code: it parses, and says the same everywhere."""

import ast
import re
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FILES = [
    ".pre-commit-config.yaml",
    ".pre-commit-hooks.yaml",
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / ".github").rglob("*.yml"))),
]


def read(name: str) -> Any:
    """A YAML file of the project."""
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def pythons() -> list[str]:
    """The releases of Python that the package claims."""
    found = (re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", each) for each in PROJECT["classifiers"])
    return [each[1] for each in found if each]


def test_there_are_a_workflow_and_forms() -> None:
    assert {Path(name).name for name in FILES} >= {"ci.yml", "bug.yml", "feature.yml", "config.yml"}


@pytest.mark.parametrize("name", FILES)
def test_yaml_of_others_tools_parses(name: str) -> None:
    assert read(name)


def test_the_workflow_does_what_ci_run_does_and_tries_every_python() -> None:
    jobs = read(".github/workflows/ci.yml")["jobs"]
    steps = {name: [step.get("run", "") for step in job["steps"]] for name, job in jobs.items()}
    assert ".ci/run" in steps["everything"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    assert jobs["python"]["strategy"]["matrix"]["python"] == pythons()
    assert steps["python"][-1] == 'nox -s "tests-${{ matrix.python }}"'
    for job in jobs.values():
        assert job["timeout-minutes"] <= 60, "a job that hangs ends"


@pytest.mark.parametrize("script", ["run", "newest"])
def test_the_tests_that_scripts_name_are_there(script: str) -> None:
    named = re.findall(r"tests/[\w/*.]+", (ROOT / ".ci" / script).read_text())
    assert len(named) > 5
    assert [name for name in named if not any(ROOT.glob(name))] == []


def test_nox_tries_every_python_that_is_claimed() -> None:
    sessions = {
        node.name: [
            keyword.value for decorator in node.decorator_list for keyword in getattr(decorator, "keywords", [])
        ]
        for node in ast.parse((ROOT / "noxfile.py").read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    assert set(sessions) == {"tests", "lint", "coverage"}
    assert ast.literal_eval(sessions["tests"][0]) == pythons()
    assert PROJECT["requires-python"] == f">={pythons()[0]}"


def test_forms_can_be_filled_in() -> None:
    for name in ("bug", "feature"):
        form = read(f".github/ISSUE_TEMPLATE/{name}.yml")
        assert form["name"] and form["description"]
        assert len({field["id"] for field in form["body"]}) == len(form["body"])
        assert any(field.get("validations", {}).get("required") for field in form["body"])
        assert all(field["attributes"]["label"] for field in form["body"])


def test_the_hook_for_users_checks_their_scenarios() -> None:
    [hook] = read(".pre-commit-hooks.yaml")
    assert (hook["id"], hook["entry"], hook["language"]) == ("soak-validate", "soak validate", "python")
    shipped = [path.relative_to(ROOT).as_posix() for path in (ROOT / "scenarios").rglob("*.yaml")]
    assert all(re.search(hook["files"], path) for path in [*shipped, "scenarios/a.yml", "ours/scenarios/b/c.yaml"])
    assert not any(
        re.search(hook["files"], path) for path in ["docker-compose.yaml", "myscenarios/a.yaml", "scenarios/a.py"]
    )


def test_our_own_hooks_are_what_ci_runs() -> None:
    [repository] = read(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    said = (ROOT / ".ci" / "run").read_text()
    for hook in repository["hooks"]:
        program = hook["entry"].split()[0].removeprefix(".venv/bin/")
        assert program in {"soak"} or program in said, hook["id"]


def test_the_changelog_has_versions() -> None:
    headings = re.findall(r"^## (.*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings
    for heading in headings:
        assert re.fullmatch(r"\[(Unreleased|\d+\.\d+\.\d+)\]( - (unreleased|\d{4}-\d\d-\d\d))?", heading), heading
    assert any(heading.startswith(f"[{PROJECT['version']}]") for heading in headings)


def test_what_commands_write_by_default_is_not_committed() -> None:
    """Every folder that `soak` makes in the current directory, also the second of a name, and nothing of the project."""
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    written = ["runs", "predictions", "power", "limits", "calibrations", "monitoring", "selftest"]
    written += ["compare-72h-2", "parity-72h", "gate-pr"]
    assert [name for name in written if not any(fnmatchcase(name, each) for each in ignored)] == []
    tops = ["runner", "gates", "docs", "reports", "systems", "scenarios"]
    assert [name for name in tops if any(fnmatchcase(name, each) for each in ignored)] == []
