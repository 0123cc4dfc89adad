"""Messages in parts: Slack's blocks, and mail as HTML with its picture, over a real connection to a mail server."""

import email
import json
import socketserver
import textwrap
import threading
from collections.abc import Iterator
from email.message import Message as Mail
from pathlib import Path

import pytest
from receivers import receiving

from soak.runner.cli import run_command
from soak.runner.notify.digest import Digest, ObjectiveLine
from soak.runner.notify.mail import html_of
from soak.runner.notify.message import Message, Tone
from soak.runner.notify.sender import sender_to
from soak.runner.notify.slack import is_webhook, payload_of, slack_sender

pytestmark = pytest.mark.usefixtures("undrawn")

ROWS = (
    ObjectiveLine("FAIL", "latency_p95 <= 10s", "45s", "-35s"),
    ObjectiveLine("PASS", "success_rate >= 90%", "100%", "10%"),
)
DIGEST = Digest(
    "FAIL",
    "A <b>title</b> & more",
    "simulation, seed 1, 2h of scenario time, run r",
    (("objective latency_p95 <= 10s is broken: 45s observed", "since 1h: a queue"),),
    ROWS,
    2,
    ("soak report r", "soak verify r"),
)


class _Session(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs to hand over a message (RFC 5321)."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line.strip().upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (text := self.rfile.readline()) not in {b".\r\n", b""}:
                    lines.append(text.removeprefix(b"."))
                self.server.mails.append(email.message_from_bytes(b"".join(lines)))  # type: ignore[attr-defined]
            if word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 fine\r\n")


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Mail]]:
    """A mail server, and what it was given."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Session)
    server.daemon_threads = True
    got: list[Mail] = []
    server.mails = got  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    port = server.server_address[1]
    monkeypatch.setenv("MAIL", f"mailto://127.0.0.1:{port}?from=soak@example.com&to=team@example.com&mode=insecure")
    yield got
    server.shutdown()
    thread.join()
    server.server_close()


SCENARIO = """
    version: 1
    name: told
    title: Fish & <chips>
    system: queue
    duration: 2h
    workload: {arrivals: {rate: 10/min}, task: {duration: {distribution: exponential, mean: 14s}}}
    queue: {workers: 4}
    faults: [{name: dark, type: db_outage, at: 1h, for: 10m}]
    alerts: [{name: stalled, when: stall_time >= 3m, severity: critical}]
    notify: [{to: {from_env: MAIL}, when: [finished]}]
    slos: [success_rate >= 90%, latency_p95 <= 10s]
"""


@pytest.mark.drawn
def test_a_mail_has_the_verdict_as_html_with_the_picture_in_it(tmp_path: Path, mails: list[Mail]) -> None:
    (tmp_path / "told.yaml").write_text(textwrap.dedent(SCENARIO))
    assert run_command(["run", str(tmp_path / "told.yaml"), "--out", str(tmp_path / "run"), "--notify"]) == 3
    assert json.loads((tmp_path / "run" / "run_manifest.json").read_text())["notifications"] == {"sent": 1, "failed": 0}
    [last] = mails
    parts = {part.get_content_type(): part for part in last.walk()}
    content = parts["text/html"].get_payload(decode=True)
    assert isinstance(content, bytes)
    page = content.decode()
    assert "Fish &amp; &lt;chips&gt;" in page
    assert "latency_p95 &lt;= 10s is broken" in page
    assert 'src="cid:' in page
    picture = parts["image/png"]
    shown = page.split('src="cid:')[1].split('"')[0]
    assert str(picture["Content-ID"]).strip("<>") == shown
    assert str(picture["Content-Disposition"]).startswith("inline")
    drawn = picture.get_payload(decode=True)
    assert isinstance(drawn, bytes)
    assert drawn.startswith(b"\x89PNG")
    assert "text/plain" in parts, "for programs that show no HTML"


def test_html_is_escaped() -> None:
    page = html_of(DIGEST, Tone.FAILURE, with_picture=False)
    assert "A &lt;b&gt;title&lt;/b&gt; &amp; more" in page
    assert "<img" not in page
    assert "since 1h: a queue" in page
    assert "2 more objectives are in the report" in page


def test_slack_is_sent_blocks(tmp_path: Path) -> None:
    with receiving() as taken:
        send = slack_sender(f"{taken.url}/services/T/B/secret")
        assert send(Message("soak told: FAIL", "text", Tone.FAILURE, DIGEST))
    body = taken.requests[0].json
    assert body["text"] == "\u274c soak told: FAIL"
    [attachment] = body["attachments"]
    kinds = [block["type"] for block in attachment["blocks"]]
    assert kinds == ["header", "section", "section", "section", "context"]
    title, why, table, commands = attachment["blocks"][1:]
    assert title["text"]["text"].startswith("*A &lt;b&gt;title&lt;/b&gt; &amp; more*")
    assert "since 1h: a queue" in why["text"]["text"]
    assert table["text"]["text"].splitlines()[1] == "FAIL  latency_p95 &lt;= 10s    45s  margin -35s"
    assert "`soak report r`" in commands["elements"][0]["text"]


def test_slack_is_sent_no_more_than_it_takes() -> None:
    long = Digest("FAIL", "t", "a", (("x" * 5_000, ""),), (ObjectiveLine("FAIL", "<" * 4_000, "1", ""),), 0, ("c",))
    [attachment] = payload_of(Message("y" * 500, "", Tone.FAILURE, long))["attachments"]
    texts = [block["text"]["text"] for block in attachment["blocks"] if "text" in block]
    assert len(texts[0]) == 150
    assert all(len(text) <= 3_000 for text in texts)
    assert texts[-1].endswith("\n```")


def test_an_alert_is_text_with_its_colour() -> None:
    body = payload_of(Message("soak told: stalled fires", "at 1h <now>", Tone.WARNING))
    [block] = body["attachments"][0]["blocks"]
    assert block["text"]["text"].endswith("at 1h &lt;now&gt;")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://hooks.slack.com/services/T000/B000/XXXX", True),
        ("https://hooks.slack.com.evil.example/services/T000/B000/XXXX", False),
        ("http://hooks.slack.com/services/T000/B000/XXXX", False),
        ("slack://T000/B000/XXXX/#soaks", False),
        ("json://127.0.0.1", False),
        ("https://[", False),
    ],
)
def test_a_webhook_of_slack_is_known_by_its_host(url: str, expected: bool) -> None:
    assert is_webhook(url) is expected


def test_a_webhook_that_refuses_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving(lambda request, before: (403, b"invalid_token")) as taken:
        assert not slack_sender(taken.url)(Message("t", "x"))
    with pytest.raises(ValueError, match="VARIABLE is not a URL supported by Apprise"):
        sender_to("VARIABLE", "nonsense")


def test_a_mail_holds_no_element_that_the_scenario_wrote() -> None:
    row = ObjectiveLine("FAIL", "<b>o</b>", "<b>v</b>", "<b>m</b>")
    digest = Digest("<b>h", "<b>t", "<b>a", (("<b>why", "<b>how"),), (row,), 0, ("<b>c",))
    assert "<b>" not in html_of(digest, Tone.FAILURE, with_picture=False)
