"""The page on attaching a system, as its reader would go through it: its commands, and nothing but the page."""

import re
import shlex
from pathlib import Path

import pytest
from commands import soak

from soak.runner.targets.adapters import environment_of
from soak.schemas.evidence.verdict import Outcome

pytestmark = [pytest.mark.foreign, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "attach.md").read_text(encoding="utf-8")
FOLDER = ROOT / "docs" / "examples" / "attach"


def commands(section: str) -> list[str]:
    """The runs in a section of the page, in order."""
    text = PAGE.split(f"## {section}")[1].split("\n## ")[0]
    return re.findall(r"^    soak (run .*)$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("section", "environment", "outcomes"),
    [
        ("A shell script, in five minutes", None, [Outcome.FAIL, Outcome.PASS]),
        ("Celery, in five minutes", "celery", [None, Outcome.FAIL, Outcome.PASS]),
    ],
)
def test_the_commands_of_the_page_say_what_it_says(
    section: str,
    environment: str | None,
    outcomes: list[Outcome | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if environment and not environment_of(environment).python.exists():
        pytest.skip(f"no environment {environment} (soak target env {environment})")
    monkeypatch.chdir(FOLDER)
    found = commands(section)
    assert len(found) == len(outcomes)
    for number, (command, outcome) in enumerate(zip(found, outcomes, strict=True)):
        done = soak(*shlex.split(command), "--out", tmp_path / str(number))
        if outcome is None:
            assert "not applicable: nobody promises at_least_once" in done.stdout
        else:
            assert done.returncode == outcome.exit_code, done.stdout + done.stderr
        if outcome is Outcome.FAIL:
            assert "objective lost_tasks == 0 is broken" in done.stdout
