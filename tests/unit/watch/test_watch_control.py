"""What may ask a run for something over HTTP: the page of this dashboard with its token, in JSON, briefly; nobody else."""

import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.client import HTTPMessage
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from soak.runner.requests import FILE, Requests
from soak.runner.watch.control import Control, Said
from soak.runner.watch.dashboard import make_server
from soak.runner.watch.feed import Feed


@dataclass(frozen=True)
class Asking:
    """A request as the page makes it, of which a test changes one thing."""

    port: int
    token: str
    path: str = "/mark"
    host: str = ""
    origin: str = ""
    kind: str = "application/json"
    body: bytes = b'{"run": 0, "text": "deploy", "by": "Anna"}'
    site: str = "same-origin"

    def sent(self) -> tuple[int, str]:
        host = self.host or f"127.0.0.1:{self.port}"
        headers = {"Host": host, "Origin": self.origin or f"http://{host}", "Content-Type": self.kind}
        headers |= {"X-Soak-Token": self.token, "Sec-Fetch-Site": self.site}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", self.path, self.body, headers)
        answer = connection.getresponse()
        found = answer.status, answer.read().decode()
        connection.close()
        return found


@pytest.fixture
def asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking]:
    feed, control = Feed([tmp_path]), Control([tmp_path])
    state: Any = SimpleNamespace(ended="")
    monkeypatch.setattr(Feed, "head", lambda self, run: state)
    monkeypatch.setattr(Feed, "clock", lambda self, run: "real")
    server = make_server(feed, [tmp_path], 0, control)
    thread = started(server)
    yield Asking(server.server_address[1], control.token)
    server.shutdown()
    thread.join()
    server.server_close()


def started(server: ThreadingHTTPServer) -> threading.Thread:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    return thread


def test_the_page_can_ask(asking: Asking, tmp_path: Path) -> None:
    assert asking.sent()[0] == 202
    assert replace(asking, path="/stop", body=b'{"run": 0}').sent()[0] == 202
    lines = [json.loads(line) for line in (tmp_path / FILE).read_text().splitlines()]
    assert lines == [
        {"type": "mark", "text": "deploy", "by": "Anna"},
        {"type": "stop", "text": "", "by": ""},
    ]
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"token": "x"}, 403),
        ({"token": ""}, 403),
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1:80@evil.example"}, 403),
        ({"host": "127.0.0.1:80:80"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"site": "cross-site"}, 403),
        ({"kind": "text/plain"}, 415),
        ({"path": "/delete"}, 404),
        ({"body": b"x" * 5000}, 413),
        ({"body": b"nonsense"}, 400),
        ({"body": b'{"run": 0, "text": " "}'}, 400),
        ({"body": b'{"run": 0, "text": "now", "path": "/etc"}'}, 400),
        ({"body": b'{"run": 1, "text": "now"}'}, 404),
    ],
)
def test_nobody_else_can(changed: dict[str, Any], status: int, asking: Asking, tmp_path: Path) -> None:
    assert replace(asking, **changed).sent()[0] == status
    assert not (tmp_path / FILE).exists()


def test_without_control_it_is_read_only(tmp_path: Path) -> None:
    server = make_server(Feed([tmp_path]), [tmp_path], 0)
    thread = started(server)
    status, words = Asking(server.server_address[1], "x").sent()
    server.shutdown()
    thread.join()
    server.server_close()
    assert (status, "read-only" in words) == (405, True)
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("name", ["Host", "Origin"])
def test_a_header_that_says_two_things_says_none(name: str, asking: Asking, tmp_path: Path) -> None:
    headers, own = HTTPMessage(), f"127.0.0.1:{asking.port}"
    for each, value in (("Host", own), ("Origin", f"http://{own}"), (name, "evil.example")):
        headers[each] = value
    control = Control([tmp_path])
    headers["X-Soak-Token"], headers["Content-Type"] = control.token, "application/json"
    said = Said("/mark", headers, "26", lambda size: b'{"run": 0, "text": "deploy"}')
    assert control.answer(said, Feed([tmp_path]))[0] == 403


def test_numbers_with_very_many_digits_are_none(tmp_path: Path) -> None:
    feed, many = Feed([tmp_path]), "9" * 5000
    control = Control([tmp_path])
    headers = HTTPMessage()
    told = {"Host": "localhost:1", "Origin": "http://localhost:1", "Content-Type": "application/json"}
    for name, value in (told | {"X-Soak-Token": control.token}).items():
        headers[name] = value
    assert control.answer(Said("/mark", headers, many, lambda size: b""), feed)[0] == 411
    feed.end()
    assert list(feed.messages(f"{feed._epoch}-{many}", 0.01)) == [b""]


def test_a_folder_in_place_of_the_requests_ends_no_run(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    vocabulary: Any = None
    requests = Requests(tmp_path, vocabulary)
    assert requests._lines() == []
