"""A check that has no need of the login of the scenario does not log in: it may be of no tenant."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from soak.runner.checks.answers import NoAnswerError
from soak.runner.checks.request import Requests
from soak.schemas.language.check import Check, Http, When
from soak.schemas.language.http import Exchange, Login, Request, Who
from soak.schemas.language.http import Http as Common

LOGIN = Login(Who.TENANT, Exchange(Request("POST", "/token"), saved=(("token", "$.token"),)))
COMMON = Common(headers=(("Authorization", "Bearer {token}"),), login=LOGIN)
OWN = (("Authorization", "Bearer admin"),)


class Refusing(BaseHTTPRequestHandler):
    """Lets nobody log in, and answers with what it was asked with."""

    def do_GET(self) -> None:
        said = json.dumps({"with": self.headers["Authorization"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def do_POST(self) -> None:
        self.send_error(401)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def asked(url: str, path: str, headers: tuple[tuple[str, str], ...]) -> object:
    """The answer to a check of no tenant."""
    action = Http("GET", "", path, (), headers, None, None)
    check = Check("one", action, ("",), 10, When.AFTER, 0, 0, ())
    return Requests(COMMON, Path(), ("A",), 1).answer(check, action, "", {"url": url}, lambda: False)


def test_its_own_header_needs_no_login(url: str) -> None:
    assert asked(url, "/", OWN) == {"with": "Bearer admin"}


def test_a_check_of_no_tenant_leaves_out_what_only_a_tenant_has(url: str) -> None:
    assert asked(url, "/", ()) == {"with": None}


def test_what_names_a_value_of_the_login_needs_it(url: str) -> None:
    with pytest.raises(NoAnswerError) as error:
        asked(url, "/?with={token}", OWN)
    assert error.value.cause == "no_login"
