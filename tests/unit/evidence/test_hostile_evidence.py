"""Evidence that is half written, of wrong types or hostile: one clear line or a readable report, and nothing written is lost.

What is damaged is drawn from a seed. `HOSTILE_CASES` of the environment asks for more cases.
"""

import json
import os
import random
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from soak.reports.bounds import MANY, WORST
from soak.runner.cli import run_command
from soak.runner.evidence.directory import CHECKSUMS, RunDirectory
from soak.schemas.evidence.reviews import FILE

pytestmark = pytest.mark.usefixtures("undrawn")

EVIDENCE = Path(__file__).resolve().parents[2] / "evidence"
RUNS = [EVIDENCE / "v4" / name for name in ("collapse", "client", "brief")] + [EVIDENCE / "v1" / "broken"]
CASES = int(os.environ.get("HOSTILE_CASES", "24"))
LARGEST_PAGE = 1_500_000
EVIL = "</script><script>alert(1)</script>{{ 7*7 }}|`\x00\x1b[31m\u202e\n# h"
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
VALUES: tuple[object, ...] = (
    None, -1, 0, 1e308, -1e308, 5e-324, 10**18, "", EVIL, "x" * 1_000_000, [], {}, True, 0.5,
    ["y"] * 10_000, {f"{EVIL}{number}": number for number in range(10_000)},
)  # fmt: skip
KEPT = {"status", "op", "unit"}
"""Words that only those of a list can stand for: others are refused."""
CELLS = ("nan", "inf", "-inf", "1e308", "-1", "", "x", "1e400", EVIL.replace("\n", ""), "9" * 5_000, '"')
SHOWN = {"report.html", "soak_summary.md", "incident.md", CHECKSUMS, FILE}
"""What commands may write."""

Capture = pytest.CaptureFixture[str]


class Page(HTMLParser):
    """The elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """How many scripts the page of each run has when nothing is wrong with it."""
    counted = {}
    for source in RUNS:
        run = Path(shutil.copytree(source, tmp_path_factory.mktemp("sound") / "run"))
        assert run_command(["report", str(run)]) == 0
        counted[str(source)] = Page((run / "report.html").read_text()).tags.count("script")
    return counted


def files_of(run: Path) -> dict[str, bytes]:
    """What must not be lost."""
    found = (path for path in run.rglob("*") if path.is_file())
    names = ((path.relative_to(run).as_posix(), path) for path in found)
    return {name: path.read_bytes() for name, path in names if name not in SHOWN and not name.startswith("plots/")}


def look(run: Path, words: list[str], capsys: Capture) -> int:
    """Give a command; whatever the evidence is, it ends in order and loses nothing."""
    before = files_of(run)
    reviews = (run / FILE).read_bytes() if (run / FILE).is_file() else b""
    code = run_command([words[0], str(run), *words[1:]])
    said = capsys.readouterr()
    assert code in {0, 2, 3, 5}, (words, code, said.err[:500])
    assert "Traceback" not in said.err
    assert "internal error" not in said.err + said.out
    assert len(said.err) < 5_000
    assert not UNSEEN.search(said.err)
    assert files_of(run) == before
    if reviews and words[0] != "review":
        assert (run / FILE).read_bytes() == reviews
    return code


def assert_readable(run: Path, scripts: int) -> None:
    """The page has no more elements that run than ours, shows what nobody sees, and is of bounded size."""
    page, summary = (run / "report.html").read_text(), (run / "soak_summary.md").read_text()
    assert Page(page).tags.count("script") == scripts
    assert "<script>alert" not in page + summary
    assert not UNSEEN.search(page + summary)
    assert len(page) + len(summary) < LARGEST_PAGE


COMMANDS = (
    ["verify"],
    ["incident"],
    ["review"],
    ["review", "--note", "seen", "--by", "Ann"],
    ["export", "--openmetrics"],
)

# Half-written files.


def half_written() -> Iterator[tuple[Path, str, bytes | None]]:
    """Every file of every run: missing, empty, cut, or of another type."""
    for run in RUNS:
        for path in sorted(path for path in run.rglob("*") if path.is_file()):
            content, name = path.read_bytes(), path.relative_to(run).as_posix()
            cuts = (1, len(content) // 7, content.find(b"\n") + 1, len(content) // 2, len(content) - 2)
            yield run, name, None
            for damaged in (b"", b"[]", b"null", b"{}", b"\x00" * 64, b'"x"', *(content[:cut] for cut in cuts)):
                yield run, name, damaged


@pytest.mark.parametrize("part", range(4))
def test_half_written_evidence_is_named(tmp_path: Path, part: int, capsys: Capture) -> None:
    draw = random.Random(f"half written {part}")
    cases = draw.sample(list(half_written()), CASES // 4)
    for number, (source, name, content) in enumerate(cases):
        run = Path(shutil.copytree(source, tmp_path / str(number)))
        if content is None:
            (run / name).unlink()
        else:
            (run / name).write_bytes(content)
        for words in (["report"], draw.choice(COMMANDS)):
            look(run, words, capsys)


# Hostile values.


def places(document: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a JSON document has a value."""
    yield at
    if isinstance(document, dict):
        for key in document:
            yield from places(document[key], (*at, key))
    elif isinstance(document, list):
        for number in range(min(len(document), 2)):
            yield from places(document[number], (*at, number))


def with_value(document: Any, at: tuple[Any, ...], value: object) -> Any:
    """The document with another value at a place."""
    if not at:
        return value
    here = document
    for key in at[:-1]:
        here = here[key]
    here[at[-1]] = value
    return document


def spoil(draw: random.Random, run: Path) -> str:
    """Put a hostile value somewhere; returns where and which."""
    [stream] = run.glob("soak_*.jsonl")
    names = (*["verdict.json"] * 5, "run_manifest.json", "checkpoints.json", "metrics.csv", stream.name)
    path = run / draw.choice(names)
    if path.suffix == ".csv":
        rows = [line.split(",") for line in path.read_text().splitlines()]
        row, cell = draw.choice((0, 1, len(rows) - 1, draw.randrange(len(rows)))), draw.choice(CELLS)
        column = draw.randrange(len(rows[row]))
        rows[row][column] = cell
        path.write_text("\n".join(map(",".join, rows)) + "\n")
        return f"{path.name} {row} {column} {cell[:20]}"
    value = draw.choice(VALUES)
    if path == stream:
        lines = path.read_text().splitlines()
        row = draw.randrange(len(lines))
        event = json.loads(lines[row])
        key = draw.choice(list(event))
        lines[row] = json.dumps({**event, key: value})
        path.write_text("\n".join(lines) + "\n")
        return f"{path.name} {row} {key} {str(value)[:20]}"
    document = json.loads(path.read_text())
    at = draw.choice(list(places(document)))
    path.write_text(json.dumps(with_value(document, at, value)))
    return f"{path.name} {at} {str(value)[:20]}"


@pytest.mark.parametrize("part", range(4))
def test_hostile_values_are_shown_or_named(tmp_path: Path, part: int, scripts: dict[str, int], capsys: Capture) -> None:
    draw = random.Random(f"hostile {part}")
    for number in range(CASES // 4):
        source = draw.choice(RUNS)
        run = Path(shutil.copytree(source, tmp_path / str(number)))
        where = spoil(draw, run)
        try:
            if look(run, ["report"], capsys) == 0:
                assert_readable(run, scripts[str(source)])
            look(run, draw.choice(COMMANDS), capsys)
        except AssertionError as error:
            raise AssertionError(f"{source.name}: {where}: {error}") from error


# Much of everything, and what is shown of it.


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of a run, to be changed."""
    return Path(shutil.copytree(EVIDENCE / "v4" / "collapse", tmp_path / "run"))


def changed(run: Path, **fields: object) -> dict[str, Any]:
    """Change fields of its verdict."""
    path = run / "verdict.json"
    verdict: dict[str, Any] = {**json.loads(path.read_text()), **fields}
    path.write_text(json.dumps(verdict))
    return verdict


def test_of_ten_thousand_labels_the_worst_are_shown_and_all_are_counted(run: Path, scripts: dict[str, int]) -> None:
    one = json.loads((run / "verdict.json").read_text())["objectives"][0]
    many = [
        {
            **one,
            "objective": f"latency_p95{{tenant=t{number}}} <= 1s",
            "sli": "latency_p95",
            "labels": {"tenant": f"t{number}"},
            "status": "FAIL" if number % 1000 == 7 else "PASS",
            "margin": 0.5,
            "target": 1.0,
            "thin": False,
        }
        for number in range(10_000)
    ]
    changed(run, objectives=[one, *many])
    assert run_command(["report", str(run)]) == 0
    for name in ("report.html", "soak_summary.md"):
        text = (run / name).read_text()
        assert len(set(re.findall(r"tenant=t(\d+)\}", text))) == WORST
        assert all(f"tenant=t{number}}}" in text for number in range(7, 10_000, 1000))
        assert "9,980 more objectives on latency_p95 by tenant (9,980 PASS)" in text
        assert one["objective"].split()[0] in text
    assert_readable(run, scripts[str(EVIDENCE / "v4" / "collapse")])


def test_a_list_that_is_not_long_is_shown_whole(run: Path) -> None:
    changed(run, reasons=[f"reason {number};" for number in range(MANY)])
    assert run_command(["report", str(run)]) == 0
    page = (run / "report.html").read_text()
    assert all(f"reason {number};" in page for number in range(MANY))
    assert "Not shown" not in page


def test_ten_thousand_errors_are_the_most_frequent_ones(run: Path) -> None:
    changed(run, errors={f"error {number};": number for number in range(10_000)})
    assert run_command(["report", str(run)]) == 0
    page = (run / "report.html").read_text()
    assert "error 9999;" in page
    assert "error 9979;" not in page
    assert "9,980 more errors" in page


def test_a_megabyte_of_error_text_is_shortened(run: Path) -> None:
    changed(run, errors={"boom " * 200_000: 3}, reasons=["y" * 1_000_000])
    assert run_command(["report", str(run)]) == 0
    page = (run / "report.html").read_text()
    assert "… (998,000 more characters)" in page
    assert len(page) < 200_000


def test_what_nobody_sees_is_written_out(run: Path) -> None:
    changed(run, reasons=["from \u202eright\u202c to \x1b[31mred\x00"])
    assert run_command(["report", str(run)]) == 0
    for name in ("report.html", "soak_summary.md"):
        assert r"from \u202eright\u202c to \u001b[31mred\u0000" in (run / name).read_text()


def test_names_are_text_everywhere(run: Path, scripts: dict[str, int]) -> None:
    verdict = json.loads((run / "verdict.json").read_text())
    for key in ("objectives", "laws", "aborts", "alerts", "faults", "growths"):
        for each in verdict[key]:
            each.update({name: EVIL for name, value in each.items() if isinstance(value, str) and name not in KEPT})
    changed(run, **{key: verdict[key] for key in ("objectives", "laws", "aborts", "alerts", "faults", "growths")})
    changed(run, errors={EVIL: 1}, reasons=[EVIL], target=EVIL, clock=EVIL, scenario=EVIL, caveats=[EVIL])
    assert run_command(["report", str(run)]) == 0
    assert_readable(run, scripts[str(EVIDENCE / "v4" / "collapse")])
    assert "{{ 7*7 }}" in (run / "report.html").read_text()


def test_a_review_of_hostile_text_is_text(run: Path, scripts: dict[str, int]) -> None:
    noted = ["--by", "Eve </td><script>alert(1)</script>", "--note", EVIL.replace("\x00", ""), "--note", "z" * 90_000]
    assert run_command(["review", str(run), *noted]) == 0
    assert run_command(["report", str(run)]) == 0
    assert "… (88,000 more characters)" in (run / "report.html").read_text()
    assert_readable(run, scripts[str(EVIDENCE / "v4" / "collapse")])


def test_a_name_of_a_file_that_is_hostile_is_one_line(run: Path, capsys: Capture) -> None:
    RunDirectory(run).write("a\n\x1b[2J", b"")
    assert run_command(["verify", str(run)]) == 3
    assert not UNSEEN.search(capsys.readouterr().out)


def test_the_report_of_an_aborted_run_links_its_incident(run: Path) -> None:
    assert run_command(["report", str(run)]) == 0
    page = (run / "report.html").read_text()
    assert 'href="incident.md"' in page
    assert page.index('id="next"') < page.index('href="incident.md"') < page.index('class="tiles"')
