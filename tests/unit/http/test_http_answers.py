"""What becomes of answers: the error of each, what is kept, redirects, logins."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from soak.runner.http import Answer, Outcome, Prepared, SendError, Session
from soak.runner.http.bodies import check_length, read_bounded
from soak.runner.http.failures import detail_of, word_of
from soak.schemas.errors import UsageError
from soak.schemas.language.http import (
    Body,
    Exchange,
    Expected,
    Http,
    Login,
    Redirects,
    Request,
    RequestError,
    Who,
)

URL = "http://127.0.0.1:8000"
GET = Request("GET", "/")
JSON_TYPE = "application/json; charset=utf-8"
JSON = b'{"decision": "allow", "items": [{"id": 1, "ok": true}, {"id": 2.0}], "tenant": "A", "none": null}'


def outcome(expected: Expected, answer: Answer) -> Outcome:
    session = Session(Http(URL), {"k": Exchange(GET, expected)}, seed=1)
    return session.perform("k", 1, "A", -1, lambda prepared: answer)


@pytest.mark.parametrize(
    ("statuses", "status", "error"),
    [
        ((), 200, ""),
        ((), 204, ""),
        ((), 300, "wrong_answer"),
        ((), 404, "wrong_answer"),
        ((), 429, "throttled"),
        ((), 500, "server_error"),
        ((), 504, "server_error"),
        ((), 302, "refused_redirect"),
        ((302,), 302, ""),
        ((403,), 403, ""),
        ((403,), 200, "wrong_answer"),
        ((200, 201), 201, ""),
        ((200, 429), 429, ""),
        ((503,), 503, ""),
        ((503,), 500, "server_error"),
        ((200,), 401, "wrong_answer"),
    ],
)
def test_the_status_decides(statuses: tuple[int, ...], status: int, error: str) -> None:
    assert outcome(Expected(frozenset(statuses)), Answer(status, {}, b"x")).error == error


@pytest.mark.parametrize(
    ("expected", "detail"),
    [
        (Expected(json=(("decision", "allow"), ("$.items[0].id", 1), ("items[-1].id", 2), ("$.none", None))), ""),
        (Expected(json=(("tenant", "{tenant}"),)), ""),
        (Expected(json=(("decision", "deny"),)), "decision is 'allow', expected 'deny'"),
        (Expected(json=(("$.items[0].ok", 1),)), "$.items[0].ok is True, expected 1"),
        (Expected(json=(("$.items[2].id", 1),)), "$.items[2].id is missing, expected 1"),
        (Expected(json=(("$.items", [{"id": 1, "ok": True}, {"id": 2}]),)), ""),
        (Expected(json=(("tenant", "{kind}"),)), "tenant is 'A', expected 'k'"),
        (Expected(text='"decision": "allow"'), ""),
        (Expected(text="{tenant}x"), "the answer does not contain 'Ax'"),
        (Expected(headers=(("content-type", "application/json"),)), ""),
        (Expected(headers=(("X-Id", "1"),)), "header X-Id is missing, expected '1'"),
        (Expected(headers=(("Content-Type", "text"),)), f"header Content-Type is {JSON_TYPE}, expected 'text'"),
        (Expected(within_s=1.5), ""),
        (Expected(within_s=1.4), "took 1.5s, expected within 1.4s"),
    ],
)
def test_the_content_decides(expected: Expected, detail: str) -> None:
    answer = Answer(200, {"Content-Type": JSON_TYPE}, JSON, 1.5)
    assert outcome(expected, answer) == Outcome("wrong_answer" if detail else "", 200, len(JSON), detail)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_a_wrong_answer(body: bytes) -> None:
    got = outcome(Expected(json=(("a", 1),)), Answer(200, {}, body))
    assert got == Outcome("wrong_answer", 200, len(body), "the answer is not JSON")


def scripted(*answers: Answer | Exception) -> tuple[Callable[[Prepared], Answer], list[Prepared]]:
    """A `send` that gives these answers one after the other, and what it was asked to send."""
    left, asked = list(answers), []

    def send(prepared: Prepared) -> Answer:
        asked.append(prepared)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return send, asked


@pytest.mark.parametrize(
    ("error", "word", "detail"),
    [
        (TimeoutError(), "timeout", "no answer in time"),
        (ConnectionRefusedError(111, "x"), "connection_error", "Connection refused"),
        (ConnectionResetError(104, "x"), "connection_error", "Connection reset by peer"),
        (type("ReadTimeout", (Exception,), {})(), "timeout", "no answer in time"),
        (Exception(TimeoutError()), "timeout", "no answer in time"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), "connection_error", "no TLS connection"),
        (ValueError("x"), "connection_error", "ValueError"),
        (SendError(RequestError.TOO_LARGE, "its answer is larger than 1 kB"), "too_large", "larger than 1 kB"),
    ],
)
def test_a_request_without_an_answer(error: Exception, word: str, detail: str) -> None:
    session = Session(Http(URL), {"k": Exchange(GET)}, seed=1)
    got = session.perform("k", 1, "A", -1, scripted(error)[0])
    assert (got.error, got.status, got.size) == (word, 0, 0)
    assert detail in got.detail
    assert (word_of(error), detail_of(error)) == (word, got.detail)


def test_values_are_kept_by_user_and_without_users_by_tenant() -> None:
    exchange = Exchange(
        Request("POST", "/{last}", kind=Body.JSON, body={"last": "{last}", "etag": "{etag}", "n": "{digits}"}),
        saved=(("last", "$.id"), ("etag", "header:ETag"), ("digits", "regex:n=([0-9]+)")),
    )
    http = Http(URL, variables=(("last", "none"), ("etag", ""), ("digits", "0")))
    session = Session(http, {"k": exchange}, seed=1)
    answer = Answer(200, {"etag": "W1"}, b'{"id": 12, "x": "n=34"}')
    for user, tenant, url, body in (
        (0, "A", "/none", b'{"last": "none", "etag": "", "n": "0"}'),
        (0, "A", "/12", b'{"last": 12, "etag": "W1", "n": "34"}'),
        (1, "A", "/none", b'{"last": "none", "etag": "", "n": "0"}'),
        (-1, "A", "/none", b'{"last": "none", "etag": "", "n": "0"}'),
        (-1, "A", "/12", b'{"last": 12, "etag": "W1", "n": "34"}'),
        (-1, "B", "/none", b'{"last": "none", "etag": "", "n": "0"}'),
    ):
        send, asked = scripted(answer)
        assert session.perform("k", 1, tenant, user, send).error == ""
        assert (asked[0].url, asked[0].body) == (URL + url, body)


def test_what_is_to_be_kept_must_be_there() -> None:
    exchange = Exchange(Request("GET", "/{last}"), saved=(("last", "$.id"),))
    session = Session(Http(URL), {"k": exchange, "first": Exchange(GET, saved=exchange.saved)}, seed=1)
    assert session.perform("k", 1, "A", 0, scripted()[0]).detail == "not sent: no answer has given last yet"
    got = session.perform("first", 1, "A", 0, scripted(Answer(200, {}, b"{}"))[0])
    assert got == Outcome("wrong_answer", 200, 2, "there is no $.id in the answer, which last is taken from")
    # Nothing is kept of an answer that is not a success.
    assert session.perform("first", 1, "A", 0, scripted(Answer(500, {}, b'{"id": 1}'))[0]).error == "server_error"
    assert session.perform("k", 1, "A", 0, scripted()[0]).detail == "not sent: no answer has given last yet"


# Redirects.


def following(
    status: int, location: str, *, method: str = "POST", hosts: tuple[str, ...] = ()
) -> tuple[Outcome, list[Prepared]]:
    request = Request(method, "/a", (("Authorization", "x"), ("X-Y", "z")), (), Body.TEXT, "body")
    http = Http(URL, hosts=hosts, redirects=Redirects.FOLLOW)
    send, asked = scripted(Answer(status, {"Location": location}, b"", 1.0), Answer(200, {}, b"ok", 2.0))
    return Session(http, {"k": Exchange(request, Expected(within_s=2.5))}, seed=1).perform("k", 1, "A", -1, send), asked


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [(301, "GET", None), (302, "GET", None), (303, "GET", None), (307, "POST", b"body"), (308, "POST", b"body")],
)
def test_redirects_are_followed(status: int, method: str, body: bytes | None) -> None:
    got, asked = following(status, "b?x=1")
    assert (asked[1].method, asked[1].url, asked[1].body) == (method, f"{URL}/b?x=1", body)
    assert asked[1].headers.get("Authorization") == "x"
    assert ("Content-Type" in asked[1].headers) == (body is not None)
    # The time is that of both.
    assert got.detail == "took 3s, expected within 2.5s"


def test_what_is_personal_goes_to_no_other_host() -> None:
    _, asked = following(307, "https://auth.example:8443/b", hosts=("auth.example:8443",))
    assert asked[1].url == "https://auth.example:8443/b"
    assert "Authorization" not in asked[1].headers
    assert asked[1].headers["X-Y"] == "z"


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:8001/",
        "http://other.example/",
        "//other.example/",
        "ftp://127.0.0.1:8000/",
        "http://[",
        "http://a:b/",
    ],
)
def test_other_hosts_are_never_contacted(location: str) -> None:
    got, asked = following(302, location)
    assert got.error == "refused_redirect"
    assert len(asked) == 1


def test_a_circle_of_redirects_ends() -> None:
    session = Session(Http(URL, redirects=Redirects.FOLLOW), {"k": Exchange(GET)}, seed=1)
    send, asked = scripted(*[Answer(302, {"location": "/"}, b"")] * 50)
    assert session.perform("k", 1, "A", -1, send).error == "refused_redirect"
    assert len(asked) == 11


# Logins.

TOKEN = Exchange(
    Request("POST", "/token", kind=Body.JSON, body={"tenant": "{tenant}", "n": "{number}"}),
    Expected(frozenset({200})),
    (("token", "$.token"), ("refresh", "$.refresh")),
)
REFRESH = Exchange(Request("POST", "/refresh", kind=Body.JSON, body={"r": "{refresh}"}), TOKEN.expected, TOKEN.saved)
WORK = Exchange(Request("GET", "/job", (("Authorization", "{token}"),)))


class Service:
    """A service whose tokens are good until it says otherwise."""

    def __init__(self, *, refuses_login: bool = False, refuses_refresh: bool = False) -> None:
        self.refuses_login, self.refuses_refresh = refuses_login, refuses_refresh
        self.good = set[str]()
        self.made = 0
        self.log: list[str] = []

    def __call__(self, prepared: Prepared) -> Answer:
        path = prepared.url.removeprefix(URL)
        self.log.append(f"{path} {(prepared.body or b'').decode()}".strip())
        if path == "/job":
            return Answer(200 if prepared.headers["Authorization"] in self.good else 401, {}, b"")
        if self.refuses_refresh if path == "/refresh" else self.refuses_login:
            return Answer(403, {}, b"no")
        self.made += 1
        self.good.add(f"t{self.made}")
        return Answer(200, {}, b'{"token": "t%d", "refresh": "r%d"}' % (self.made, self.made))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def logged_in(
    who: Who, renew: Exchange | None, after_s: float | None, clock: Clock | None = None, **more: Any
) -> Session:
    http = Http(URL, login=Login(who, TOKEN, renew, after_s))
    return Session(http, {"work": WORK}, seed=1, tenants=("A", "B"), clock=clock or Clock(), **more)


@pytest.mark.parametrize(
    ("who", "logins"),
    [
        (Who.RUN, ['/token {"tenant": "A", "n": 0}']),
        (Who.TENANT, ['/token {"tenant": "A", "n": 0}', '/token {"tenant": "B", "n": 1}']),
        (Who.USER, [f'/token {{"tenant": "{"AB"[user % 2]}", "n": {user}}}' for user in (0, 1, 2)]),
    ],
)
def test_each_logs_in_once(who: Who, logins: list[str]) -> None:
    service, session = Service(), logged_in(who, None, None)
    for number, user in enumerate((0, 1, 2, 0, 1, 2)):
        assert session.perform("work", number, "AB"[user % 2], user, service).error == ""
    assert [each for each in service.log if each != "/job"] == logins


def test_a_token_is_renewed_before_it_expires() -> None:
    clock, service = Clock(), Service()
    session = logged_in(Who.TENANT, REFRESH, 600, clock, speed=2)
    for now in (0, 299, 300, 599, 600):
        clock.now = now
        assert session.perform("work", 1, "A", 0, service).error == ""
    assert [each for each in service.log if each != "/job"][1:] == ['/refresh {"r": "r1"}', '/refresh {"r": "r2"}']


def test_a_401_renews_once() -> None:
    service, session = Service(), logged_in(Who.TENANT, REFRESH, None)
    session.perform("work", 1, "A", 0, service)
    service.good.clear()
    service.log.clear()
    assert session.perform("work", 2, "A", 0, service) == Outcome("", 200)
    assert service.log == ["/job", '/refresh {"r": "r1"}', "/job"]


def test_what_a_login_gives_is_not_shown() -> None:
    """The token of a tenant, and the one before; what is as short as a number stays readable."""
    clock = Clock()
    session = logged_in(Who.TENANT, REFRESH, 600, clock)
    given = iter(("first-token", "second-token", "third-token"))

    def service(prepared: Prepared) -> Answer:
        return Answer(
            200, {}, json.dumps({"token": next(given), "refresh": "7"} if "/job" not in prepared.url else {}).encode()
        )

    for now in (0, 600, 1200):
        clock.now = now
        session.perform("work", 1, "A", 0, service)
    told = "got first-token, second-token, third-token, 7"
    assert session.hidden(told, "A", 0) == "got first-token, ***, ***, 7"
    assert session.hidden(told, "B", 0) == told


def test_a_401_that_stays_is_a_wrong_answer() -> None:
    service, session = Service(), logged_in(Who.TENANT, REFRESH, None)

    def never(prepared: Prepared) -> Answer:
        answer = service(prepared)
        service.good.clear()
        return answer

    assert session.perform("work", 1, "A", 0, never).error == "wrong_answer"
    assert [each.split()[0] for each in service.log] == ["/token", "/job", "/refresh", "/job"]


def test_a_refused_renewal_logs_in_again() -> None:
    service, session = Service(refuses_refresh=True), logged_in(Who.TENANT, REFRESH, None)
    session.perform("work", 1, "A", 0, service)
    service.good.clear()
    service.log.clear()
    assert session.perform("work", 2, "A", 0, service).error == ""
    assert [each.split()[0] for each in service.log] == ["/job", "/refresh", "/token", "/job"]


def test_without_renew_a_401_is_a_wrong_answer() -> None:
    service, session = Service(), logged_in(Who.TENANT, None, None)
    session.perform("work", 1, "A", 0, service)
    service.good.clear()
    service.log.clear()
    assert session.perform("work", 2, "A", 0, service).error == "wrong_answer"
    assert service.log == ["/job"]


def test_who_cannot_log_in_sends_nothing_and_tries_again_later() -> None:
    clock, service = Clock(), Service(refuses_login=True)
    session = logged_in(Who.TENANT, None, None, clock)
    for now in (0, 0.9, 1, 2.9, 3, 6.9):
        clock.now = now
        got = session.perform("work", 1, "A", 0, service)
        assert got == Outcome("no_login", 403, 2, "login: status 403, expected 200")
    assert len(service.log) == 3
    service.refuses_login, clock.now = False, 7.0
    assert session.perform("work", 1, "A", 0, service).error == ""


def test_a_renewal_that_fails_in_time_leaves_the_old_token() -> None:
    clock, service = Clock(), Service()
    session = logged_in(Who.TENANT, REFRESH, 10, clock)
    session.perform("work", 1, "A", 0, service)
    service.refuses_login = service.refuses_refresh = True
    clock.now = 10
    for _ in range(3):
        assert session.perform("work", 1, "A", 0, service).error == ""
    assert [each.split()[0] for each in service.log].count("/refresh") == 1


def test_one_request_logs_in_at_a_time() -> None:
    service = Service()
    inside, most = 0, 0
    gate = threading.Barrier(8)
    guard = threading.Lock()

    def slowly(prepared: Prepared) -> Answer:
        nonlocal inside, most
        if not prepared.url.endswith("/token"):
            return service(prepared)
        with guard:
            inside += 1
            most = max(most, inside)
        threading.Event().wait(0.05)
        with guard:
            inside -= 1
            return service(prepared)

    session = logged_in(Who.RUN, None, None)
    got: list[str] = []

    def one() -> None:
        gate.wait(10)
        got.append(session.perform("work", 1, "A", 0, slowly).error)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(10)
    assert got == [""] * 8
    assert (most, service.made) == (1, 1)


# Bodies.


def endless() -> Iterator[bytes]:
    while True:
        yield b"x" * 1000


def test_an_endless_body_is_left() -> None:
    pieces, asked = endless(), []

    def read(size: int) -> bytes:
        asked.append(size)
        return next(pieces)

    with pytest.raises(SendError, match="too_large: its answer is larger than 10kB"):
        read_bounded(read, 10_000)
    assert len(asked) == 11


def test_a_body_of_the_limit_is_read() -> None:
    pieces = iter([b"x" * 6000, b"y" * 4000, b""])
    assert len(read_bounded(lambda size: next(pieces), 10_000)) == 10_000


def test_a_body_that_trickles_is_late() -> None:
    with pytest.raises(SendError, match="timeout: its answer had not ended in time, after 1,000 bytes"):
        read_bounded(lambda size: b"x" * 1000, 10_000, lambda: True)


def test_a_length_above_the_limit_is_not_read() -> None:
    check_length("10000", 10_000)
    check_length(None, 10_000)
    check_length("many", 10_000)
    with pytest.raises(SendError, match="too_large"):
        check_length("10001", 10_000)


def test_a_host_is_allowed_by_name_or_with_its_port() -> None:
    session = Session(Http(URL, hosts=("a.example", "B.example:81", "[::1]:5")), {}, seed=1)
    assert all(
        map(
            session.allowed.has,
            ("http://a.example/", "https://A.example:99/x", "http://b.example:81/", "http://[::1]:5/"),
        )
    )
    assert not any(
        map(
            session.allowed.has, ("http://b.example/", "http://x.a.example/", "http://[::1]/", "http://a.example@evil/")
        )
    )
    with pytest.raises(UsageError):
        session.allowed.check("http://b.example/")


def test_what_another_request_renewed_is_not_renewed_again() -> None:
    service, session = Service(), logged_in(Who.TENANT, REFRESH, None)
    session.perform("work", 1, "A", 0, service)
    service.good.clear()
    service.log.clear()

    def overtaken(prepared: Prepared) -> Answer:
        """While this request is answered with a 401, another one renews."""
        answer = service(prepared)
        if answer.status == 401:
            assert session.perform("work", 3, "A", 0, service).error == ""
        return answer

    assert session.perform("work", 2, "A", 0, overtaken).error == ""
    assert [each.split()[0] for each in service.log] == ["/job", "/job", "/refresh", "/job", "/job"]


def test_a_401_that_is_expected_renews_nothing() -> None:
    http = Http(URL, login=Login(Who.RUN, TOKEN, REFRESH))
    session = Session(http, {"k": Exchange(WORK.request, Expected(frozenset({401})))}, seed=1)
    service = Service()
    service.good.add("none")

    def refusing(prepared: Prepared) -> Answer:
        answer = service(prepared)
        service.good.clear()
        return answer

    assert session.perform("k", 1, "A", 0, refusing) == Outcome("", 401)
    assert [each.split()[0] for each in service.log] == ["/token", "/job"]


def test_headers_of_all_requests_that_need_a_login_are_not_of_the_login() -> None:
    common = (("Authorization", "{token}"), ("X-Soak", "{region}"))
    http = Http(URL, headers=common, variables=(("region", "eu"),), login=Login(Who.RUN, TOKEN, REFRESH, 1.0))
    clock = Clock()
    session = Session(http, {"k": Exchange(GET)}, seed=1, clock=clock)
    asked: list[tuple[str, str | None]] = []

    def send(prepared: Prepared) -> Answer:
        assert prepared.headers["X-Soak"] == "eu"
        asked.append((prepared.url.removeprefix(URL), prepared.headers.get("Authorization")))
        return Answer(200, {}, b'{"token": "t%d", "refresh": "r"}' % len(asked))

    for now in (0.0, 1.0):
        clock.now = now
        assert session.perform("k", 1, "A", 0, send).error == ""
    assert asked == [("/token", None), ("/", "t1"), ("/refresh", "t1"), ("/", "t3")]


def test_users_of_several_tenants_keep_and_log_in_as_each() -> None:
    service = Service()
    session = logged_in(Who.USER, None, None)
    for tenant in "ABAB":
        assert session.perform("work", 1, tenant, 7, service).error == ""
    logins = [f'/token {{"tenant": "{tenant}", "n": 7}}' for tenant in "AB"]
    assert [each for each in service.log if each != "/job"] == logins
