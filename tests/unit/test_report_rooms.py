"""A system's part of the report comes from its room, and a system whose room brings nothing has a sound report."""

import re
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np
import pytest
from markupsafe import Markup
from pages import charts, tables

from soak.reports import room as rooms
from soak.reports.data import Metrics, RunData, read_run
from soak.reports.plots import render_plots
from soak.reports.plots.canvas import BLUE
from soak.reports.plots.panels import Line, Over, Panel
from soak.reports.room import Grown, Room, room_of
from soak.reports.run_page.page import render_page
from soak.reports.summary import render_incident, render_summary
from soak.runner.cli import run_command
from soak.schemas.errors import UsageError
from soak.schemas.evidence.verdict import AbortResult, Section
from soak.schemas.language import registry
from soak.schemas.language.expression import Unit
from soak.schemas.language.registry import OURS, System, language_of
from soak.schemas.language.room import Minutes
from soak.schemas.language.slis import count

EVIL = "<script>alert('x')</script>|"
SCENARIO = """\
version: 1
name: bare
system: queue
duration: 10m
drain: 5m
workload: {arrivals: {rate: 10/min}, task: {duration: {distribution: constant, value: 4s}}}
queue: {workers: 4}
checkpoints: {every: 5m}
slos: [success_rate >= 90%]
"""
Show = Callable[[Room], RunData]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rooms")
    (path / "bare.yaml").write_text(SCENARIO)
    assert run_command(["run", str(path / "bare.yaml"), "--out", str(path / "run")]) == 0
    return path / "run"


@pytest.fixture
def show(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Show]:
    """Makes a run of a system of another package, with this room: it has no tasks, one SLI and one column."""
    module = ModuleType("bare_system")
    minutes = Minutes(counts={}, waiting=frozenset())
    language = msgspec.structs.replace(
        language_of("queue"), name="bare", headline={"jobs": "success_rate"}, minutes=minutes
    )
    parts = ["LANGUAGE", "MODEL", "JUDGE", "TARGETS", "ROOM"]
    system = System("bare", *(f"bare_system:{part}" for part in parts))
    vars(module).update(SYSTEM=system, LANGUAGE=language)
    monkeypatch.setitem(sys.modules, "bare_system", module)
    point = EntryPoint(name="bare", value="bare_system:SYSTEM", group=registry.GROUP)
    monkeypatch.setattr(registry, "_points", lambda: iter([point]))

    def shown(room: Room) -> RunData:
        vars(module)["ROOM"] = room
        return bare(read_run(directory))

    yield shown
    for cached in (registry.find, registry.language_of, room_of):
        cached.cache_clear()


def bare(run: RunData) -> RunData:
    """The run as if it were of the system `bare`."""
    points = [msgspec.structs.replace(each, slis={"jobs": 3.0}) for each in run.checkpoints.checkpoints]
    sli = msgspec.structs.replace(count("jobs", "jobs that ended"), unit=Unit.COUNT)
    verdict = msgspec.structs.replace(
        run.verdict, slis={"jobs": 7.0}, growths=[], objectives=[], retries_by_attempt={}, clock="real", slowest=[]
    )
    return msgspec.structs.replace(
        run,
        scenario=msgspec.structs.replace(run.scenario, system="bare", slis={"jobs": sli}),
        verdict=verdict,
        manifest=msgspec.structs.replace(run.manifest, speed=60.0),
        checkpoints=msgspec.structs.replace(run.checkpoints, checkpoints=points),
        metrics=Metrics({"t_s": run.metrics.t_s, "jobs": np.ones(len(run.metrics.t_s))}),
    )


def aborted(run: RunData) -> RunData:
    held = AbortResult("stuck", "jobs > 1", None, 300.0, 2.0, "count", 1.0)
    return msgspec.structs.replace(run, verdict=msgspec.structs.replace(run.verdict, aborts=[held]))


# Look-up.


@pytest.mark.parametrize("name", OURS)
def test_our_systems_have_a_room(name: str) -> None:
    assert room_of(name).panels


def test_a_system_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="there is no system 'nosuch'"):
        room_of("nosuch")


def test_a_room_that_is_none(show: Show) -> None:
    show("nonsense")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"system bare: bare_system:ROOM is a str, not a soak\.reports\.room\.Room"):
        room_of("bare")


def test_what_is_the_queues_stays_with_the_queue() -> None:
    assert set(room_of("calls").plots) == {"gain.svg"}
    assert set(room_of("queue").plots) == {"system.svg"}
    columns = {name for panel in room_of("calls").panels for line in panel.lines for name in line.columns}
    assert columns == {"calls", "calls_failed", "calls_rejected", "in_flight", "in_flight_max", "queue_depth_max"}


# A room that brings nothing.


def test_an_empty_room_has_the_parts_of_any_system(show: Show, directory: Path) -> None:
    run = show(Room())
    plots = render_plots(run)
    assert list(plots) == ["faults.svg", "errors.svg", "growth.svg"]
    text = render_summary(run, list(plots))
    assert "| `jobs` | 7 | jobs that ended |" in text
    assert "| scenario time | DONE | FAILED | BLOCKED | open | jobs | errors so far | alerts firing |" in text
    assert re.search(r"Machine overhead is not sped up: .* of scenario time\.\n", text)
    assert "poll interval" not in text
    page = render_page(run, directory, plots)
    assert tables(page)["Checkpoints"][0] == ["time", "DONE", "FAILED", "BLOCKED", "open", "jobs", "alerts firing"]
    assert "Success rate" not in page
    assert "nan" not in page.partition("<svg")[2].lower()


def test_an_empty_room_has_an_incident_without_a_run_book(show: Show, directory: Path) -> None:
    text = render_incident(aborted(show(Room())), directory)
    assert "## Affected tasks" in text
    assert "queue.db" not in text
    assert "ops " not in text
    assert "## To be filled in" in text


# A room that brings something.


@pytest.mark.parametrize("title", ["Jobs", EVIL])
def test_the_section_of_a_system_is_shown_as_text(show: Show, directory: Path, title: str) -> None:
    run = show(Room())
    section = Section(title, ["job", EVIL], [["first", EVIL], ["second", "2"]], f"Of {EVIL} jobs.")
    run = msgspec.structs.replace(run, verdict=msgspec.structs.replace(run.verdict, section=section))
    text, page = render_summary(run, []), render_page(run, directory, {})
    cell = "&lt;script>alert('x')&lt;/script>\\|"
    assert (
        f"\n| job | {cell} |\n|---|---|\n| first | {cell} |\n| second | 2 |\n\nOf {cell} jobs.\n\n## Integrity" in text
    )
    assert "<script>alert" not in text + page
    assert tables(page)[title] == [["job", EVIL], ["first", EVIL], ["second", "2"]]
    assert bool(re.search("<h2[^>]*>Jobs</h2>", page)) == (title == "Jobs")


def test_a_section_may_be_a_note_alone(show: Show, directory: Path) -> None:
    run = show(Room())
    section = Section("Jobs", [], [], "There were none.")
    run = msgspec.structs.replace(run, verdict=msgspec.structs.replace(run.verdict, section=section))
    assert "\n## Jobs\n\nThere were none.\n\n## Integrity" in render_summary(run, [])
    page = render_page(run, directory, {})
    assert re.search(r"<h2[^>]*>Jobs</h2>\s*<p>There were none.</p>", page) and "Jobs" not in tables(page)


def test_what_a_room_brings_is_shown(show: Show, directory: Path) -> None:
    room = Room(
        plots={"own.svg": lambda run: b"<svg/>", "nothing.svg": lambda run: None},
        panels=(
            Panel("Jobs", "jobs per minute", (Line("jobs", BLUE, ("jobs",)),)),
            Panel("Pipes", "pipes", (Line("pipes", BLUE, ("pipes",), Over.MEAN),)),
        ),
        grown=(Grown("jobs_growth", "Jobs", "jobs", "jobs"),),
        summary=lambda run: "## Mine\n\nAll well.\n",
        page=lambda run, inline: Markup('<img alt="" src="{}">').format(inline("own.svg")),
        speed=lambda run: "Nothing else is raised.",
        run_book=lambda run, aftermath: f"## Run book\n\nLook at {len(aftermath.tasks)} tasks.",
    )
    run = show(room)
    plots = render_plots(run)
    assert list(plots) == ["own.svg", "throughput.svg", "faults.svg", "errors.svg", "growth.svg"]
    drawn = plots["throughput.svg"].decode()
    assert "jobs per minute" in drawn
    assert "pipes" not in drawn
    text = render_summary(run, list(plots))
    assert "\n## Mine\n\nAll well.\n\n## Integrity laws" in text
    assert re.search(r"of scenario time\. Nothing else is raised\.\n", text)
    page = render_page(run, directory, plots)
    assert '<img alt="" src="PHN2Zy8+">' in page
    [line] = charts(page)["Jobs"]["lines"]
    assert line["name"] == "jobs" and line["values"].tolist() == [1.0] * len(run.metrics.t_s)
    assert "## Run book\n\nLook at " in render_incident(aborted(run), directory)


def test_text_of_a_room_is_escaped_in_the_page(show: Show, directory: Path) -> None:
    page = render_page(show(Room(page=lambda run, inline: EVIL)), directory, {})
    assert "&lt;script&gt;alert" in page
    assert EVIL not in page


def test_a_room_that_raises_is_named(show: Show) -> None:
    run = show(Room(plots={"own.svg": lambda run: bytes(1 // 0)}))
    with pytest.raises(
        UsageError, match=r"^system bare: plots/own\.svg cannot be made: .*division.* \(fix the package"
    ):
        render_plots(run)


def test_a_mistake_of_ours_is_not_blamed_on_a_package() -> None:
    with pytest.raises(ZeroDivisionError):
        rooms.ask("queue", "a plot", lambda: 1 // 0)


# Our own rooms.

CALLS = """\
version: 1
name: down
system: calls
duration: 5m
workload: {arrivals: {rate: 30/min}}
calls: {dependencies: [{name: api, latency: {distribution: constant, value: 1s}}]}
faults: [{name: broken, type: server_error, rate: 100%, at: 2m, for: 2m}]
abort: [{name: all-fail, when: success_rate < 50%, window: 1m, min_samples: 5}]
slos: [success_rate >= 10%]
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("client")
    (path / "down.yaml").write_text(CALLS)
    assert run_command(["run", str(path / "down.yaml"), "--out", str(path / "run")]) == 4
    return path / "run"


def test_a_client_has_calls_in_its_report_and_no_workers(client: Path) -> None:
    drawn = (client / "plots" / "throughput.svg").read_text(encoding="utf-8")
    assert all(words in drawn for words in ("calls per minute", "rejected by a policy", "Calls in flight"))
    page = (client / "report.html").read_text(encoding="utf-8")
    assert "mean in flight" in page
    assert "busy workers" not in (drawn + page).lower()


def test_a_client_has_no_commands_of_the_orchestrator_in_its_incident(client: Path) -> None:
    text = (client / "incident.md").read_text(encoding="utf-8")
    assert "| detected by | `success_rate < 50%`" in text
    assert "Run book" not in text
    assert "queue.db" not in text


def test_a_client_without_series_of_its_calls_is_drawn_without_them(client: Path) -> None:
    """As runs of earlier versions are."""
    run = read_run(client)
    added = language_of("calls").minutes.added
    columns = {name: values for name, values in run.metrics.columns.items() if name not in added}
    before = msgspec.structs.replace(run, metrics=Metrics(columns))
    drawn = render_plots(before)["throughput.svg"].decode()
    assert "Open tasks not in a call" in drawn
    assert "calls per minute" not in drawn
    assert "mean in flight" not in render_page(before, client, {})
