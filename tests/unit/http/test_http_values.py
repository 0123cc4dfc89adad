"""Whatever a value is, it arrives where it was put, as it was."""

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from soak.runner.http import Answer, Inputs, Prepared, Session, Table
from soak.schemas.errors import WordingError
from soak.schemas.language.answer_places import MISSING, found_at, steps_of
from soak.schemas.language.http import Body, DataFile, Exchange, Http, Pick, Request, Texts
from soak.schemas.language.request_templates import parse

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def sent(value: str, kind: Body = Body.NONE, body: Any = None, path: str = "/", query: Texts = ()) -> Prepared:
    inputs = Inputs({}, {"d": Table(("v",), ((value,),))})
    http = Http("http://a.example", data=(DataFile("d", "d.csv", Pick.IN_ORDER),))
    exchange = Exchange(Request("POST", path, (("X-V", "<{d.v}>"),), query, kind, body))
    return Session(http, {"k": exchange}, seed=1, inputs=inputs).prepare("k", 0)


def escaped(value: Any) -> Any:
    """A value that is sent as it is."""
    if isinstance(value, str):
        return value.replace("{", "{{")
    if isinstance(value, dict):
        return {escaped(key): escaped(each) for key, each in value.items()}
    return [escaped(each) for each in value] if isinstance(value, list) else value


@given(TEXT, JSON)
def test_in_json(value: str, other: Any) -> None:
    got = sent(value, Body.JSON, {"whole": "{d.v}", "part": ["a{d.v}%s", escaped(other)], "{d.v}": "%"})
    assert json.loads(got.body or b"") == {"whole": value, "part": [f"a{value}%s", other], value: "%"}


@given(TEXT)
def test_in_a_form_and_a_query(value: str) -> None:
    pairs = (("v", "{d.v}"), ("{d.v}", "100% {d.v}&="))
    wanted = [("v", value), (value, f"100% {value}&=")]
    form = sent(value, Body.FORM, pairs)
    assert parse_qsl((form.body or b"").decode(), keep_blank_values=True) == wanted
    asked = urlsplit(sent(value, path="/a?b=%20", query=pairs).url).query
    assert parse_qsl(asked, keep_blank_values=True) == [("b", " "), *wanted]


@given(TEXT)
def test_in_a_path(value: str) -> None:
    url = sent(value, path="/a b/{d.v}/ü?x={d.v}").url
    assert url.isascii() and " " not in url and "\n" not in url
    parts = urlsplit(url)
    assert unquote(parts.path) == f"/a b/{value}/ü"
    assert parse_qsl(parts.query, keep_blank_values=True) == [("x", value)]


@given(TEXT)
def test_in_a_header_and_a_text(value: str) -> None:
    got = sent(value, Body.TEXT, '{"a": "{d.v}"}%')
    assert (got.body or b"").decode() == f'{{"a": "{value}"}}%'
    assert got.headers["X-V"] == f"<{''.join(letter for letter in value if letter.isprintable())}>"


@given(st.text(max_size=30))
def test_any_text_is_a_template_or_is_refused(text: str) -> None:
    try:
        parts = parse(text)
    except WordingError:
        return
    assert all(parts)
    if "{" not in text:
        assert parts == ((text,) if text else ())


@given(JSON)
def test_every_place_in_json_has_a_path(value: Any) -> None:
    def look(inner: Any, path: str) -> None:
        assert found_at(steps_of(path), value) is inner or found_at(steps_of(path), value) == inner
        if isinstance(inner, dict):
            for key, each in inner.items():
                if '"' not in key:
                    look(each, f'{path}["{key}"]')
        if isinstance(inner, list):
            for place, each in enumerate(inner):
                look(each, f"{path}[{place}]")
            assert found_at(steps_of(f"{path}[{len(inner)}]"), value) is MISSING

    look(value, "$")


@given(st.binary(max_size=40))
def test_no_answer_stops_a_run(body: bytes) -> None:
    exchange = Exchange(
        Request("POST", "/{v}?{v}", (("X", "{v}"),), (("{v}", "{v}"),), Body.JSON, {"{v}": "{v} {v}", "v": "{v}"}),
        saved=(("v", "$.v"), ("r", "regex:(.*)"), ("h", "header:X")),
    )
    session = Session(Http("http://a.example", variables=(("v", ""),)), {"k": exchange}, seed=1)
    for text in (body, b'{"v": "%s"}' % body, rb'{"v": "\ud800"}', b'{"v": [1, null, {"a": "\\u0000"}]}'):
        for _ in range(2):
            session.perform("k", 0, "A", 0, lambda prepared, text=text: Answer(200, {"x": "1"}, text))
