"""The page on attaching a system shows what is in its files, and every promise that there is."""

import re
from pathlib import Path

from soak.schemas.target.model import Promise

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "attach.md").read_text(encoding="utf-8")
FOLDER = ROOT / "docs" / "examples" / "attach"


def test_what_is_shown_of_a_file_is_in_it() -> None:
    shown = dict(re.findall(r"^```(sh|yaml)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    worker = [line.strip() for line in (FOLDER / "worker.sh").read_text(encoding="utf-8").splitlines()]
    assert [line for line in shown["sh"].splitlines() if line.strip() not in worker] == []
    assert shown["yaml"] in (FOLDER / "spool.yaml").read_text(encoding="utf-8")


def test_all_promises_are_explained() -> None:
    assert [promise for promise in Promise if not re.search(rf"`{{?{promise}\b", PAGE)] == []


def test_links_lead_somewhere() -> None:
    folder = ROOT / "docs"
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", PAGE)]
    assert [link for link in links if link and not (folder / link).exists()] == []
