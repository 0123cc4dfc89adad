"""The container image and the Kubernetes job: what can be known of them without a daemon or a cluster."""

import fnmatch
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import soak

from soak.runner.api import simulate_scenario

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = [
    (name, rest)
    for name, rest in re.findall(r"^([A-Z]+) (.+)$", DOCKERFILE.replace("\\\n", " "), re.M)
    if not rest.startswith("#")
]
JOB = ROOT / "docs" / "examples" / "kubernetes" / "job.yaml"
OBJECTS: dict[str, Any] = {each["kind"]: each for each in yaml.safe_load_all(JOB.read_text(encoding="utf-8"))}
POD = OBJECTS["Job"]["spec"]["template"]["spec"]


def copied() -> list[str]:
    """What the build takes from the checkout."""
    words = [rest.split() for name, rest in INSTRUCTIONS if name == "COPY" and not rest.startswith("--from")]
    return [each.rstrip("/") for each in (source for line in words for source in line[:-1])]


def test_all_that_the_package_is_made_of_is_copied_and_not_ignored() -> None:
    links = {path.resolve().name for path in (ROOT / "src" / "soak").iterdir() if path.is_symlink()}
    assert set(copied()) == links | {"constraints.txt", "pyproject.toml", "README.md", "LICENSE", "src"}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied())
    hidden = [line for line in ignored[2:] if not line.startswith("!")]
    assert not [name for name in copied() for pattern in hidden if fnmatch.fnmatch(name, pattern)]


def test_the_image_holds_the_lock_and_no_rights() -> None:
    (install,) = [rest for name, rest in INSTRUCTIONS if name == "RUN" and "pip install" in rest]
    assert "-c constraints.txt" in install
    stages = [rest for name, rest in INSTRUCTIONS if name == "FROM"]
    assert stages == ["python:${PYTHON} AS build", "python:${PYTHON}"]
    last = dict(INSTRUCTIONS[[name for name, _ in INSTRUCTIONS].index("FROM") :])
    assert last["ENTRYPOINT"] == '["soak"]'
    assert last["USER"].isdigit() and int(last["USER"]) > 0, "by its number: runAsNonRoot cannot tell a name from root"


def test_the_scenario_of_the_job_is_one_that_passes(tmp_path: Path) -> None:
    (name, text), *_ = OBJECTS["ConfigMap"]["data"].items()
    path = tmp_path / name
    path.write_text(text)
    assert simulate_scenario(path)[0].verdict.value == "PASS"


def test_the_job_runs_what_it_mounts_once_and_lets_the_evidence_be_completed() -> None:
    (container,) = POD["containers"]
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in POD["volumes"]}
    assert set(mounts) == set(volumes)
    assert volumes["scenario"]["configMap"]["name"] == OBJECTS["ConfigMap"]["metadata"]["name"]
    assert (
        volumes["evidence"]["persistentVolumeClaim"]["claimName"]
        == OBJECTS["PersistentVolumeClaim"]["metadata"]["name"]
    )
    command, scenario, *_, out = container["args"]
    assert (command, scenario) == ("run", f"{mounts['scenario']}/soak.yaml")
    assert out.startswith(f"{mounts['evidence']}/")
    assert (
        container["securityContext"]["readOnlyRootFilesystem"]
        and mounts["tmp"] == dict(each.split("=") for each in dict(INSTRUCTIONS)["ENV"].split())["HOME"]
    )
    assert (POD["restartPolicy"], OBJECTS["Job"]["spec"]["backoffLimit"]) == ("Never", 0)
    assert POD["terminationGracePeriodSeconds"] >= 60
    assert POD["securityContext"]["runAsUser"] == int(dict(INSTRUCTIONS)["USER"])
    limits, requests = container["resources"]["limits"], container["resources"]["requests"]
    assert "memory" in limits and "cpu" in requests and "cpu" not in limits


# The hook of pre-commit: its entry, as pre-commit calls it.


@pytest.fixture
def hook() -> dict[str, Any]:
    (only,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    return dict(only)


def test_the_hook_takes_scenarios_and_nothing_else(hook: dict[str, Any]) -> None:
    files = re.compile(hook["files"])
    assert files.search("scenarios/a.yaml") and files.search("team/scenarios/deep/a.yml")
    assert not files.search("a.yaml") and not files.search("scenarios/a.csv") and not files.search("myscenarios/a.yaml")


def test_the_hook_names_what_is_wrong(hook: dict[str, Any], tmp_path: Path) -> None:
    assert hook["entry"].split() == ["soak", "validate"]
    good = ROOT / "scenarios" / "24h.yaml"
    bad = tmp_path / "bad.yaml"
    bad.write_text(good.read_text(encoding="utf-8").replace("workers:", "wokers:"))
    assert soak("validate", good).returncode == 0
    done = soak("validate", good, bad)
    assert done.returncode == 2
    assert "queue.wokers: unknown key 'wokers' (did you mean 'workers'?)" in done.stderr
