"""The documentation site: every link of every page leads somewhere, every page has its place, nothing is loaded."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "docs" / "site"


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_site_{name}", SITE / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


PAGES, FINISHED = _script("pages"), _script("finished")
START = (SITE / "index.md").read_text(encoding="utf-8")
MADE = {"commands.md"}
"""By the build, not from a file."""


def test_every_link_of_the_documentation_leads_to_a_file_and_a_heading() -> None:
    assert PAGES.Pages().gather().problems == []


def test_every_page_has_one_place_in_the_contents() -> None:
    listed = re.findall(
        r"^(?:.*<)?([\w/.-]+?)>?$", "\n".join(re.findall(r"```\{toctree\}\n(.*?)```", START, re.S)), re.M
    )
    listed = [f"{name}.md" for name in listed]
    assert len(set(listed)) == len(listed)
    assert set(listed) == {PAGES.on_site(name) for name in PAGES.sources()} - {"index.md"} | MADE


def test_the_contents_are_in_the_order_of_the_reader() -> None:
    readers = ["Author", "Run", "Review", "Gate", "Attach", "Understand"]
    assert re.findall(r"^:caption: (.+)$", START, re.M) == [*readers, "Project"]
    assert re.findall(r"^\*\*(\w+)\*\* ", START, re.M) == readers


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A repository of two pages, a program and a picture."""
    for name in PAGES.TOP:
        (tmp_path / f"{name}.md").write_text(f"# {name}\n")
    (tmp_path / "docs" / "site").mkdir(parents=True)
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "a.yaml").write_text("name: a\n")
    (tmp_path / "docs" / "plot.svg").write_text("<svg/>")
    (tmp_path / "docs" / "other.md").write_text(
        "# Other\n\n## A `b`: c, d\n\n```sh\n# not a heading\n```\n\n## Twice\n\n## Twice\n"
    )
    return tmp_path


def problems(root: Path, text: str) -> list[str]:
    (root / "docs" / "one.md").write_text(text)
    return list(PAGES.Pages(root).gather().problems)


def test_links_are_made_to_lead_where_they_led(small: Path) -> None:
    text = "[a](other.md#a-b-c-d) [b](../README.md) [c](../scenarios/a.yaml) [d](../scenarios) ![e](plot.svg) [f](https://a.example/x)\n"
    (small / "docs" / "one.md").write_text(text + "\n```sh\n[kept](as-it-is)\n```\n")
    gathered = PAGES.Pages(small).gather()
    assert gathered.problems == []
    assert gathered.made["one.md"].splitlines()[0] == (
        "[a](other.md#a-b-c-d) [b](readme.md) [c](files/scenarios/a.yaml.md) [d](files/scenarios/index.md) ![e](plot.svg) "
        "[f](https://a.example/x)"
    )
    assert "[kept](as-it-is)" in gathered.made["one.md"]
    assert gathered.made["files/scenarios/a.yaml.md"].endswith("# scenarios/a.yaml\n\n`````yaml\nname: a\n`````\n")
    assert "(a.yaml.txt)" in gathered.made["files/scenarios/index.md"]
    gathered.write(small / "out")
    assert (small / "out" / "files" / "scenarios" / "a.yaml.txt").read_text() == "name: a\n"
    assert (small / "out" / "plot.svg").is_file()


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("other.md#twice-1", None),
        ("other.md#twice-2", "docs/other.md has no heading #twice-2"),
        ("other.md#not-a-heading", "docs/other.md has no heading #not-a-heading"),
        ("othr.md", "othr.md leads nowhere"),
        ("#mine", None),
        ("#yours", "docs/one.md has no heading #yours"),
        ("../scenarios/b.yaml", "leads nowhere"),
    ],
)
def test_a_link_that_leads_nowhere_is_named_with_its_line(small: Path, link: str, said: str | None) -> None:
    found = problems(small, f"# One\n\n## Mine\n\nSee [this]({link}).\n")
    assert len(found) == (said is not None)
    assert all(each.startswith("docs/one.md:5: ") and str(said) in each for each in found)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ('<a href="b.html#there">', None),
        ('<a href="b.html#not">', "a.html: b.html#not leads nowhere"),
        ('<a href="c.html">', "a.html: c.html leads nowhere"),
        ('<a href="https://a.example/">', None),
        ('<script src="https://a.example/x.js"></script>', "a.html: https://a.example/x.js is loaded from elsewhere"),
        ('<link rel="stylesheet" href="//a.example/x.css">', "a.html: //a.example/x.css is loaded from elsewhere"),
        ('<img src="missing.png">', "a.html: missing.png is not there"),
        ('<img src="data:image/gif;base64,AAAA">', None),
    ],
)
def test_what_a_built_site_must_not_hold(tmp_path: Path, page: str, said: str | None) -> None:
    (tmp_path / "a.html").write_text(page)
    (tmp_path / "b.html").write_text('<h1 id="there">B</h1>')
    assert FINISHED.faults(tmp_path) == ([said] if said else [])


def test_a_style_sheet_loads_no_font(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("@font-face { src: url(https://a.example/f.woff2) }")
    assert FINISHED.faults(tmp_path) == ["a.css: loads from elsewhere"]


def test_what_builds_the_site_is_locked_beside_the_product() -> None:
    lines = [line for line in (ROOT / "docs" / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line)] == []
    locked = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
    names = {line.split("==")[0] for line in lines}
    assert names >= {"sphinx", "myst-parser", "furo"}
    assert names & locked == set(), "constraints.txt has these already"


def test_what_the_search_ranks_last_is_on_the_site() -> None:
    scorer = (SITE / "scorer.js").read_text(encoding="utf-8")
    (late,) = re.findall(r"\[([^\]]+)\]\.includes\(page\)", scorer)
    named = {f"{name}.md" for name in re.findall(r'"(\w+)"', late)}
    assert named == {"changelog.md", "contributing.md", "releasing.md", "security.md"}
    assert named <= {PAGES.on_site(name) for name in PAGES.sources()}
    assert "scorer.js" in (SITE / "conf.py").read_text(encoding="utf-8")
