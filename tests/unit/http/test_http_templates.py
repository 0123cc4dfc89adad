"""Templates of requests: what stands in braces, and what it becomes."""

import json
import re
from collections import Counter
from typing import Any
from urllib.parse import quote_plus
from uuid import UUID

import pytest
from msgspec.structs import replace

from soak.runner.http import Inputs, Prepared, Session, Table
from soak.runner.http.draws import integers, uuids
from soak.schemas.errors import UsageError, WordingError, quoted, shown
from soak.schemas.language.http import Body, DataFile, Exchange, Http, Pick, Request
from soak.schemas.language.outlets import Secret
from soak.schemas.language.request_templates import Reference, number_of, parse

HTTP = Http(
    "http://127.0.0.1:8000/",
    headers=(("X-Soak", "1"),),
    variables=(("region", "eu"), ("key", Secret("KEY", None))),
    data=(DataFile("customers", "c.csv", Pick.IN_ORDER),),
)
INPUTS = Inputs(
    {"key": "s3cret"}, {"customers": Table(("id", "full name"), (("1", "Ann"), ("2", "Bo b"), ("3", "C&é")))}
)


def prepared(request: Request, number: int = 7, user: int = 4, http: Http = HTTP, seed: int = 1) -> Prepared:
    session = Session(http, {"reads": Exchange(request)}, seed=seed, inputs=INPUTS, tenants=("A", "B"))
    return session.prepare("reads", number, "B", user)


def sent(body: Any, number: int = 7, **more: Any) -> Any:
    return json.loads(prepared(Request("POST", "/", kind=Body.JSON, body=body), number, **more).body or b"")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("plain", ("plain",)),
        ("{tenant}", (Reference("tenant"),)),
        ("a{tenant}b{customers.id}", ("a", Reference("tenant"), "b", Reference("customers", "id"))),
        ("{customers.full name}", (Reference("customers", "full name"),)),
        ("{number(customers.amount)}", (Reference("customers", "amount", numeric=True),)),
        ("{random(-1, 100)}", (Reference("random", low=-1, high=100),)),
        ("{{tenant}}", ("{tenant}",)),
        ("{{ x", ("{ x",)),
        ('{"a": {"b": [1]}}', ('{"a": {"b": [1]}}',)),
        ('{"a": "{tenant}"}', ('{"a": "', Reference("tenant"), '"}')),
        ("query { user { id } }", ("query { user { id } }",)),
        ("{} { } {1}", ("{} { } {1}",)),
    ],
)
def test_a_template_is_parsed(text: str, parts: tuple[object, ...]) -> None:
    assert parse(text) == parts


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{a b}", "'{a b}' is not a name (write {{a b} for the text itself)"),
        ("{random(1)}", "'{random(1)}' is not a name (write {random(1,100)})"),
        ("{random}", "'{random}' is not a name (write {random(1,100)})"),
        ("{random(5,1)}", "{random(5,1)} is from 5 to 1 (write {random(1,5)})"),
        ("{a.}", "'{a.}' is not a name (write {{a.} for the text itself)"),
    ],
)
def test_a_text_that_is_not_a_template_is_refused(text: str, what: str) -> None:
    with pytest.raises(WordingError, match=re.escape(what)):
        parse(text)


def test_a_request_is_rendered() -> None:
    request = Request(
        "PUT",
        "/t/{tenant}/{customers.full name}?k={kind}",
        headers=(("x-soak", "{user}"), ("Authorization", "Bearer {key}")),
        query=(("r", "{region} 100%"), ("n", "{number}")),
        kind=Body.FORM,
        body=(("name", "{customers.full name}"), ("x", "a b")),
    )
    assert prepared(request, number=5) == Prepared(
        "PUT",
        "http://127.0.0.1:8000/t/B/C%26%C3%A9?k=reads&r=eu+100%25&n=5",
        {"x-soak": "4", "Authorization": "Bearer s3cret", "Content-Type": "application/x-www-form-urlencoded"},
        b"name=C%26%C3%A9&x=a+b",
    )


def test_json_keeps_the_kind_of_values() -> None:
    body = {
        "{tenant}": ["{number}", "n{number}", "{region}", None, True, 1.5],
        'q"': '{customers.full name}\n"',
        "deep": {"u": "{user}"},
    }
    assert sent(body, 1) == {"B": [1, "n1", "eu", None, True, 1.5], 'q"': 'Bo b\n"', "deep": {"u": 4}}


def test_a_text_is_sent_as_the_number_that_it_is() -> None:
    """Only where that is written, and where it is one."""
    http = replace(HTTP, variables=(*HTTP.variables, ("rate", "2.50")))
    body = {
        "id": "{customers.id}",
        "n": ["{number(customers.id)}", "{number(rate)}"],
        "text": "no. {number(customers.id)}",
    }
    assert sent(body, 1, http=http) == {"id": "2", "n": [2, 2.5], "text": "no. 2"}
    with pytest.raises(UsageError, match=r"customers\.full name is not a number in row 1"):
        sent({"a": "{number(customers.full name)}"})
    with pytest.raises(UsageError, match="region is not a variable that is a number"):
        sent({"a": "{number(region)}"})


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("-12", -12),
        (" 1.5 ", 1.5),
        ("1e3", 1000.0),
        ("007", None),
        ("1,5", None),
        ("", None),
        ("nan", None),
        ("1e999", None),
    ],
)
def test_what_is_a_number(text: str, number: float | None) -> None:
    assert (number_of(text), type(number_of(text))) == (number, type(number))


def test_text_is_sent_as_it_is() -> None:
    request = Request("POST", "/", kind=Body.TEXT, body='{"tenant": "{tenant}", "{{number}}": "100%"}')
    got = prepared(request)
    assert got.body == b'{"tenant": "B", "{number}": "100%"}'
    assert got.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_rows_are_picked_by_number_or_user() -> None:
    row = Request("GET", "/{customers.id}{customers.full name}")

    def rows(pick: Pick, user: int = 4) -> list[str]:
        http = replace(HTTP, data=(DataFile("customers", "c.csv", pick),))
        session = Session(http, {"reads": Exchange(row)}, seed=1, inputs=INPUTS)
        return [session.prepare("reads", number, "B", user).url[22:] for number in range(300)]

    assert rows(Pick.IN_ORDER)[:4] == ["1Ann", "2Bo%20b", "3C%26%C3%A9", "1Ann"]
    assert set(rows(Pick.BY_USER)) == {"2Bo%20b"}
    drawn = Counter(rows(Pick.RANDOM))
    # The columns of a request are of one row; each row is drawn about as often (100 expected, standard deviation 8.2).
    assert set(drawn) == {"1Ann", "2Bo%20b", "3C%26%C3%A9"}
    assert all(70 <= count <= 130 for count in drawn.values())


def test_draws_follow_seed_place_and_number() -> None:
    body = {"a": "{uuid}", "b": "{uuid}", "c": "{random(1,6)}"}
    first = sent(body)
    assert first == sent(body)
    assert len({first["a"], first["b"], sent(body, 8)["a"], sent(body, seed=2)["a"]}) == 4
    assert UUID(first["a"]).version == 4
    assert type(first["c"]) is int


def test_uuids_are_of_version_4() -> None:
    uuid = uuids(1, "x")
    made = [UUID(uuid(number)) for number in range(200)]
    assert len({*made}) == 200
    assert {each.version for each in made} == {4}
    assert {str(each)[19] for each in made} == {*"89ab"}


def test_integers_are_uniform() -> None:
    integer = integers(3, "x", -1, 2)
    counts = Counter(integer(number) for number in range(4000))
    # Pearson's statistic of 4 cells exceeds 16.27 by chance once in 1,000 (chi-squared, 3 degrees of freedom).
    assert sorted(counts) == [-1, 0, 1, 2]
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 16.27


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/{nobody}", "nothing is called 'nobody'"),
        ("/{orders.id}", "there is no data 'orders'"),
        ("/{customers.name}", "no column 'name' (its columns: id, full name)"),
        ("http://other.example/x", "'http://other.example/' is on a host that may not be contacted"),
        ("http://127.0.0.1:8001/x", "may not be contacted"),
        ("https://127.0.0.1:8000/x", None),
        ("http://{customers.id}/x", "the host differs from request to request"),
        ("http://127.0.0.1:8000{customers.id}/x", "the host differs from request to request"),
    ],
)
def test_what_cannot_be_sent_is_refused(path: str, what: str | None) -> None:
    if what is None:
        assert prepared(Request("GET", path)).url == path
        return
    with pytest.raises(UsageError, match=re.escape(what)):
        prepared(Request("GET", path))


def test_a_service_without_a_url_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing says where the service is"):
        prepared(Request("GET", "/"), http=replace(HTTP, url=""))


def test_a_line_break_begins_no_header() -> None:
    http = replace(HTTP, variables=(("x", "a"),))
    inputs = Inputs({}, {"customers": Table(("id",), (("1\r\nX-Evil: 1",),))})
    request = Request("GET", "/", headers=(("X-Id", "{customers.id}"),))
    session = Session(http, {"reads": Exchange(request)}, seed=1, inputs=inputs)
    assert session.prepare("reads", 0).headers["X-Id"] == "1X-Evil: 1"


def test_secrets_are_not_shown() -> None:
    session = Session(HTTP, {}, seed=1, inputs=INPUTS)
    assert session.hidden("Bearer s3cret!") == "Bearer ***!"
    assert "s3cret" not in repr(INPUTS)
    long = f"abcd'\\\"{'abcd' * 20}"
    session = Session(HTTP, {}, seed=1, inputs=Inputs({"key": long}, {}))
    for told in (
        long,
        repr(f"a{long}"),
        json.dumps(long),
        quote_plus(long),
        quoted(f"{long}{long}"),
        shown({"a": long}),
    ):
        assert "abcd" not in session.hidden(told), told
    assert Inputs.of_data(json.loads(json.dumps(INPUTS.as_data()))) == INPUTS
