"""Commands, queries and requests of checks, as they really are."""

import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from soak.runner.checks import command, query
from soak.runner.checks.answers import NoAnswerError, one_object, outcome_of
from soak.runner.checks.perform import Surroundings, perform
from soak.runner.checks.request import Requests
from soak.schemas.language.check import Check, Exactly, Exec, Expected, Http, When
from soak.schemas.language.expression import Op
from soak.schemas.language.http import Exchange, Login, Request, Who
from soak.schemas.language.http import Http as HttpCommon
from soak.schemas.language.outlets import Secret


def python(code: str) -> list[str]:
    """A command."""
    return [sys.executable, "-c", code]


def never() -> bool:
    """Not cancelled."""
    return False


def refusal(code: str, folder: Path, timeout_s: float = 20.0) -> str:
    """Why a command gives no answer."""
    with pytest.raises(NoAnswerError) as error:
        one_object(command.run(python(code), folder, timeout_s, never))
    return error.value.cause


def test_a_command_answers_with_one_object(tmp_path: Path) -> None:
    said = command.run(python('import os; print(\'{"n": 1, "here": "\' + os.getcwd() + \'"}\')'), tmp_path, 20.0, never)
    assert one_object(said) == {"n": 1, "here": str(tmp_path)}


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("import sys; sys.exit(3)", "exit 3"),
        ("print(1)", "not_json"),
        ("print('{')", "not_json"),
        ("", "not_json"),
        ("print('[' * 100000)", "not_json"),
        ("while True: print('x' * 100000)", "too_large"),
    ],
)
def test_a_command_gives_no_answer(code: str, cause: str, tmp_path: Path) -> None:
    assert refusal(code, tmp_path) == cause


def test_what_a_command_started_ends_with_it(tmp_path: Path) -> None:
    start = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
    told = f"{start}; open({str(tmp_path / 'pid')!r}, 'w').write(str(p.pid))"
    assert refusal(f"{told}; import time; time.sleep(600)", tmp_path, timeout_s=2.0) == "timeout"
    assert not _lives(int((tmp_path / "pid").read_text()))
    # Also of one that ends by itself, and leaves its pipes open to another.
    assert refusal(f"{told}; print('no')", tmp_path) == "not_json"
    assert not _lives(int((tmp_path / "pid").read_text()))


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NoAnswerError, match="cannot_start"):
        command.run(["no-such-command"], tmp_path, 1.0, never)


def check(action: Exec | Http, *expected: Expected) -> Check:
    """A check."""
    return Check("c", action, ("",), 5.0, When.AFTER, 0.0, 0.0, expected)


def test_fields_are_numbers_or_what_is_expected() -> None:
    asked = check(
        Exec(("c",)),
        Expected("n", Op.EQ, 0.0),
        Expected("flag", Op.EQ, Exactly(True)),
        Expected("state", Op.EQ, Exactly("ok")),
    )
    right = outcome_of(asked, {"n": 5, "flag": True, "state": "ok"})
    assert (right.values, right.texts, right.failed) == ({"n": 5.0, "flag": 1.0, "state": 1.0}, {}, "")
    wrong = outcome_of(asked, {"n": "5", "flag": 1, "state": "deny"})
    assert wrong.values == {"flag": 0.0, "state": 0.0}
    assert wrong.texts == {"flag": "1", "state": '"deny"'}
    assert wrong.failed == "not_a_number n"
    for value in (True, None, [1], 1e13, float("nan")):
        assert outcome_of(asked, {"n": value, "flag": True, "state": "ok"}).failed == "not_a_number n"
    assert outcome_of(asked, {"flag": True}).failed == "missing_field n"


def test_a_query_has_one_row_and_changes_nothing(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.executescript("CREATE TABLE t (n); INSERT INTO t VALUES (1), (2);")
    database.close()
    url = "sqlite:///a.db"

    def refused(sql: str, place: str = url, timeout_s: float = 5.0) -> str:
        with pytest.raises(NoAnswerError) as error:
            query.query(place, sql, tmp_path, timeout_s, changes=False)
        return error.value.cause

    assert query.query(url, "SELECT count(*) AS c, max(n) AS m FROM t", tmp_path, 5.0, changes=False) == {
        "c": 2,
        "m": 2,
    }
    assert refused("SELECT n FROM t") == "not_one_row several"
    assert refused("SELECT n FROM t WHERE n > 9") == "not_one_row no"
    assert refused("DELETE FROM t") == "query"
    assert refused("SELEKT") == "query"
    assert refused("SELECT 1", "sqlite:///none.db") == "connection"
    endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) AS m FROM r"
    assert refused(endless, timeout_s=0.3) == "timeout"
    assert query.query(url, "DELETE FROM t", tmp_path, 5.0, changes=True) == {}
    assert query.query(url, "SELECT count(*) AS c FROM t", tmp_path, 5.0, changes=False) == {"c": 0}


class Handler(BaseHTTPRequestHandler):
    """Answers by the path."""

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """Answer."""
        if self.path == "/drip":
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(200):
                    self.wfile.write(b" ")
                    time.sleep(0.05)
            except OSError:
                return
        status = {"/missing": 404, "/away": 302}.get(self.path, 200)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://127.0.0.2:9/")
        self.end_headers()
        body = b"x" * 2_000_000 if self.path == "/large" else b"<html>" if self.path == "/html" else None
        told = f'{{"path": "{self.path}", "token": "{self.headers.get("X-Token", "")}"}}'
        self.wfile.write(body or told.encode())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A service."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def asked(url: str, path: str, tmp_path: Path, timeout_s: float = 5.0) -> dict[str, object]:
    """The answer to a request of a check."""
    action = Http("GET", f"{url}{path}", "", (), (("X-Token", Secret("CHECK_TOKEN", None)),), None, None)
    step = Check("c", action, ("A",), timeout_s, When.AFTER, 0.0, 0.0, ())
    return dict(
        Requests(None, tmp_path, ("A",), 0).answer(
            step, action, "A", {"done": "7", "done.reads": "3", "tenant": "A"}, never
        )
    )


def test_a_request_knows_its_tenant_figures_and_secrets(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHECK_TOKEN", "s{3}cret")
    assert asked(url, "/a?t={tenant}&n={done}&r={done.reads}", tmp_path) == {
        "path": "/a?t=A&n=7&r=3",
        "token": "s{3}cret",
    }


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("/missing", "status 404"),
        ("/away", "refused_redirect"),
        ("/html", "not_json"),
        ("/large", "too_large"),
        ("/drip", "timeout"),
    ],
)
def test_a_request_gives_no_answer(
    path: str, cause: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHECK_TOKEN", "secret")
    with pytest.raises(NoAnswerError) as error:
        asked(url, path, tmp_path, timeout_s=0.5 if path == "/drip" else 5.0)
    assert error.value.cause == cause


def test_a_secret_that_is_answered_is_hidden(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECK_TOKEN", "secret" * 20)
    action = Http("GET", f"{url}/a", "", (), (("X-Token", Secret("CHECK_TOKEN", None)),), None, None)
    expected = (Expected("token", Op.EQ, Exactly("other")),)
    step = Check("c", action, ("",), 5.0, When.AFTER, 0.0, 0.0, expected)
    around = Surroundings(tmp_path, Requests(None, tmp_path, (), 0), "", {}, never)
    outcome, _ = perform(step, {}, around)
    assert outcome.values == {"token": 0.0}
    assert "secret" not in repr(outcome)


def test_a_secret_that_is_not_set(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHECK_TOKEN", raising=False)
    with pytest.raises(NoAnswerError, match="no_secret the environment variable CHECK_TOKEN"):
        asked(url, "/", tmp_path)


LOGIN = Login(Who.TENANT, Exchange(Request("GET", "/login?t={tenant}"), saved=(("token", "$.path"),)))
COMMON = HttpCommon(login=LOGIN, headers=(("X-Token", "{token}"), ("X-Other", "1")))


@pytest.mark.parametrize(("tenant", "token"), [("A", "/login?t=A"), ("", "")])
def test_a_check_of_a_tenant_logs_in_as_it(tenant: str, token: str, url: str, tmp_path: Path) -> None:
    action = Http("GET", "", "/a", (), (), None, None)
    step = Check("c", action, (tenant,), 5.0, When.AFTER, 0.0, 0.0, ())
    requests = Requests(COMMON, tmp_path, ("A",), 0)
    assert dict(requests.answer(step, action, tenant, {"url": url}, never)) == {"path": "/a", "token": token}
