"""The dashboard in a real browser: it loads, is kept up to date, survives the end, and asks nobody else for anything."""

import json
import os
import re
import shutil
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

import servers

from soak.runner.cli import run_command
from soak.runner.watch import follow as following
from soak.runner.watch.control import Control
from soak.runner.watch.dashboard import keep_following, make_server
from soak.runner.watch.feed import Feed

playwright = pytest.importorskip("playwright.sync_api")
if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    not CHROMIUM and os.environ.get("SOAK_TEST_SERVERS") != "required", reason="Chromium is not installed"
)
HOSTILE = "<script>document.title='broken'</script>"
ERROR = b'"error":"' + HOSTILE.encode() + b'"'
SCENARIO = f"""
    version: 1
    name: seen
    title: "Run {HOSTILE}"
    system: queue
    duration: 3h
    drain: 30m
    workload:
      arrivals: {{rate: 10/min}}
      task: {{duration: {{distribution: exponential, mean: 8s}}}}
    queue: {{workers: 4}}
    faults:
      - {{name: flaky, type: transient_error, rate: 10%}}
      - {{name: dark, type: db_outage, at: 1h, for: 10m}}
    alerts:
      - {{name: backlog, when: stall_time >= 3m}}
    slos: [success_rate >= 90%, latency_p95 <= 1s]
"""


@dataclass
class Site:
    """A dashboard that follows a stream which a test writes, and what a browser asked for."""

    folder: Path
    content: bytes
    port: int = 0
    control: Control | None = None
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def stream(self) -> Path:
        return self.folder / "soak_seen.jsonl"

    def cut(self, share: float) -> None:
        """The stream as it was after a share of the run, in the middle of a line."""
        self.stream.write_bytes(self.content[: int(len(self.content) * share)])

    def grow(self, share: float) -> None:
        """Write it up to a later share."""
        with self.stream.open("ab") as file:
            file.write(self.content[self.stream.stat().st_size : int(len(self.content) * share)])

    def serve(self) -> ThreadingHTTPServer:
        """A new server, on the port of the one before."""
        feed = Feed([self.folder])
        self.control = Control([self.folder])
        server = make_server(feed, [self.folder], self.port, self.control)
        self.port = server.server_address[1]
        work = (feed, 0, self.folder, None, lambda error: None)
        threading.Thread(target=keep_following, args=work, daemon=True).start()
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seen")
    (folder / "s.yaml").write_text(textwrap.dedent(SCENARIO))
    assert run_command(["run", str(folder / "s.yaml"), "--out", str(folder / "run")]) == 3
    return folder / "run"


@pytest.fixture
def site(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(following, "EVERY_S", 0.1)
    monkeypatch.setattr(following, "_LOOK_EVERY_S", 0.05)
    shutil.copytree(made, tmp_path / "run")
    site = Site(tmp_path / "run", (made / "soak_seen.jsonl").read_bytes().replace(b'"error":"transient_error"', ERROR))
    site.cut(0.4)
    server = site.serve()
    yield site
    site.grow(1.0)
    server.shutdown()
    server.server_close()


def opened(browser: "Browser", site: Site, width: int = 1280, address: str = "", **how: object) -> "Page":
    page = browser.new_context(viewport={"width": width, "height": 900}, **how).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(15_000)
    page.on("request", lambda request: site.asked.append(request.url))
    page.on("pageerror", lambda error: site.errors.append(str(error)))
    page.on("console", lambda said: site.errors.append(said.text) if said.type == "error" else None)
    page.goto(address or site.url)
    return page


def wait(page: "Page", what: str) -> None:
    """Until something is true in the page, whose policy lets Playwright evaluate it only from outside."""
    servers.until(lambda: page.evaluate(what), 15)


ROWS = "[...soakLive.runs.values()][0].columns.t_s.length"


def test_it_loads_is_kept_up_to_date_and_survives_the_end(browser: "Browser", site: Site) -> None:
    page = opened(browser, site)
    page.wait_for_selector("figure.drawn")
    assert page.text_content(".badge") == "✗ FAIL so far"
    before = page.evaluate(ROWS)
    assert 60 < before < 180
    site.grow(0.7)
    wait(page, f"{ROWS} > {before}")
    assert page.evaluate("[...soakLive.runs.values()][0].columns.t_s.every((t, i) => t === 60 * (i + 1))")
    site.grow(1.0)
    wait(page, "document.getElementById('link').textContent.startsWith('The end')")
    assert page.text_content(".badge") == "✗ FAIL"
    assert "The run has ended (completed)" in (page.text_content(".time") or "")
    assert "backlog" in (page.text_content(".lists") or "")
    # A page that is opened late shows the same.
    late = opened(browser, site)
    late.wait_for_selector("figure.drawn")
    assert late.evaluate(ROWS) == page.evaluate(ROWS)
    assert site.errors == []
    assert {urlsplit(url).hostname for url in site.asked} == {"127.0.0.1"}
    assert {urlsplit(url).path for url in site.asked} <= {"/", "/events", "/favicon.ico"}


def test_names_are_text(browser: "Browser", site: Site) -> None:
    page = opened(browser, site)
    page.wait_for_selector("figure.drawn")
    assert page.text_content(".title") == f"Run {HOSTILE}"
    assert HOSTILE in (page.text_content(".lists") or "")
    assert HOSTILE in (page.text_content(".drawings") or "")
    assert page.title() == f"FAIL so far: Run {HOSTILE}"
    assert page.evaluate("document.querySelectorAll('script').length") == 1


def test_a_narrow_screen_needs_no_scrolling_sideways(browser: "Browser", site: Site) -> None:
    page = opened(browser, site, 390, color_scheme="dark")
    page.wait_for_selector("figure.drawn")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_it_goes_on_when_the_server_is_started_again(
    browser: "Browser", site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soak.runner.watch.dashboard._RETRY_MS", 50)
    monkeypatch.setattr("soak.runner.watch.dashboard._PATIENCE_S", 0.05)
    page = opened(browser, site)
    page.wait_for_selector("figure.drawn")
    before = page.evaluate(ROWS)
    # As if another server had sent it: what it knows is of no use to this one, and it gets everything anew, once.
    page.evaluate("[...soakLive.runs.values()][0].columns.t_s.push(0)")
    site.grow(0.6)
    wait(page, f"{ROWS} > {before} + 1")
    assert page.evaluate("[...soakLive.runs.values()][0].columns.t_s.every((t, i) => t === 60 * (i + 1))")


def test_without_scripts_it_says_where_the_report_is(browser: "Browser", site: Site) -> None:
    page = opened(browser, site, java_script_enabled=False)
    said = page.text_content("noscript") or ""
    assert "needs scripts" in said
    assert str(site.folder / "report.html") in said


def test_a_mark_is_confirmed_when_it_is_in_the_stream(browser: "Browser", site: Site) -> None:
    lines = site.content.splitlines(keepends=True)
    place = int(len(lines) * 0.6)
    moment = json.loads(lines[place - 1])["t"]
    mark = json.dumps({"t": moment, "type": "run.marked", "name": HOSTILE, "by": "Anna"}).encode() + b"\n"
    site.content = b"".join([*lines[:place], mark, *lines[place:]])
    page = opened(browser, site)
    page.wait_for_selector("figure.drawn")
    assert page.text_content(".ask output") == page.text_content(".marks") == ""
    assert page.evaluate("[...document.querySelectorAll('.ask input')].every(each => each.required)")
    page.evaluate("sessionStorage.setItem('soak-by', 'Anna')")
    site.grow(0.9)
    wait(page, "document.querySelector('.ask output').textContent !== ''")
    assert re.fullmatch(r"marked at 1h\d+m(\d+s)? by Anna", page.text_content(".ask output") or "")
    assert HOSTILE in (page.text_content(".marks") or "")
    page.reload()
    page.wait_for_selector("figure.drawn")
    assert page.input_value(".ask input[name=by]") == "Anna"
    assert site.errors == []


def test_only_the_link_with_the_token_may_ask(browser: "Browser", site: Site) -> None:
    assert site.control
    page = opened(browser, site)
    page.wait_for_selector("figure.drawn")
    assert page.is_hidden(".ask")
    page = opened(browser, site, address=f"{site.url}#{site.control.token}")
    page.wait_for_selector("figure.drawn")
    assert page.url == site.url
    # A simulation cannot be asked, and the page knows.
    assert page.is_hidden(".ask")
    said = page.evaluate(
        """token => fetch("/mark", {method: "POST", headers: {"Content-Type": "application/json", "X-Soak-Token": token},
        body: '{"run": 0, "text": "now"}'}).then(async answer => [answer.status, await answer.text()])""",
        site.control.token,
    )
    assert said[0] == 409
    assert "only a real run" in said[1]
