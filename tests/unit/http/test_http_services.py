"""Requests to services that misbehave, by the client of checks."""

from pathlib import Path

import pytest
from http_servers import (
    Handler,
    Reply,
    endless,
    huge,
    nobody,
    own_certificate,
    says_yes,
    service,
    silent,
    trickling,
)
from msgspec.structs import replace

from soak.runner.checks.request import sent
from soak.runner.http import Answer, Outcome, Prepared, Session
from soak.schemas.language.http import Exchange, Expected, Http, Redirects, Request

HTTP = Http(timeout_s=10.0, max_body_bytes=100_000)


def asked_of(url: str, http: Http = HTTP, expected: Expected | None = None) -> Outcome:
    session = Session(http, {"reads": Exchange(Request("GET", "/a"), expected or Expected())}, seed=1, url=url)

    def send(prepared: Prepared) -> Answer:
        return sent(prepared, http.timeout_s, verify_tls=http.verify_tls, most=http.max_body_bytes)

    return session.perform("reads", 0, "A", -1, send)


def test_a_service_answers() -> None:
    with service(says_yes) as (url, asked):
        assert asked_of(url, expected=Expected(frozenset({200}), text="ok")) == Outcome("", 200, 2)
    assert asked == ["GET /a"]


def test_nobody_answers() -> None:
    with nobody() as url:
        assert asked_of(url) == Outcome("connection_error", detail="Connection refused")


@pytest.mark.parametrize(
    ("reply", "error", "detail"),
    [
        (endless, "too_large", "its answer is larger than 100kB"),
        (huge, "too_large", "its answer is larger than 100kB"),
        (silent, "timeout", "in time"),
        (trickling, "timeout", "its answer had not ended in time"),
    ],
)
def test_no_answer_holds_a_request_up(reply: Reply, error: str, detail: str) -> None:
    http = HTTP if error == "too_large" else replace(HTTP, timeout_s=0.3)
    with service(reply) as (url, _):
        got = asked_of(url, http)
    assert (got.error, got.status) == (error, 0)
    assert detail in got.detail


def test_a_certificate_must_be_trusted_unless_none_is_asked_for(tmp_path: Path) -> None:
    with service(says_yes, own_certificate(tmp_path)) as (url, asked):
        got = asked_of(url)
        assert got.error == "connection_error"
        assert "its certificate is not trusted" in got.detail
        assert asked == []
        assert asked_of(url, replace(HTTP, verify_tls=False)) == Outcome("", 200, 2)


def test_a_service_without_tls_is_not_asked_over_it() -> None:
    with service(says_yes) as (url, asked):
        got = asked_of(url.replace("http:", "https:"))
    assert got.error == "connection_error"
    assert "no TLS connection" in got.detail
    assert asked == []


@pytest.mark.parametrize("redirects", [Redirects.REFUSE, Redirects.FOLLOW])
def test_another_host_is_asked_only_if_it_is_named(redirects: Redirects) -> None:
    http = replace(HTTP, redirects=redirects)
    with service(says_yes) as (other, asked):

        def away(handler: Handler) -> None:
            handler.send(302, Location=f"{other}/b")

        with service(away) as (url, _):
            got = asked_of(url, http)
            assert (got.error, asked) == ("refused_redirect", [])
            got = asked_of(url, replace(http, hosts=(other.removeprefix("http://"),)))
            follows = redirects is Redirects.FOLLOW
            assert (got.error, asked) == (("", ["GET /b"]) if follows else ("refused_redirect", []))
