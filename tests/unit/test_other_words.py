"""While the tests run, libraries say everything in other words: what a test expects to read is what we say."""

import errno
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from xml.etree import ElementTree

import click
import jinja2
import jsonschema
import msgspec
import pytest
import yaml
from other_words import OTHER
from test_tidy import PACKAGES, modules

from soak.schemas.errors import reason


def asked_of_a_database(statement: str) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(statement)


@pytest.mark.parametrize(
    ("provoke", "read"),
    [
        (lambda: yaml.compose("a: [", Loader=yaml.CSafeLoader), lambda error: error.problem),
        (lambda: yaml.compose("a: [", Loader=yaml.CSafeLoader), str),
        (lambda: jsonschema.validate(1, {"type": "string"}), lambda error: error.message),
        (lambda: jinja2.Environment().from_string("{{"), str),
        (lambda: jinja2.Environment().from_string("{{"), lambda error: error.message),
        (lambda: jinja2.Environment(undefined=jinja2.StrictUndefined).from_string("{{ a }}").render(), str),
        (lambda: json.loads("{"), str),
        (lambda: json.loads("{"), lambda error: error.msg),
        (lambda: msgspec.json.decode(b"{"), str),
        (lambda: msgspec.convert("a", int), str),
        (lambda: asked_of_a_database("nonsense"), str),
        (lambda: ElementTree.fromstring("<a"), str),
    ],
)
def test_what_a_library_says_is_not_what_it_says_elsewhere(
    provoke: Callable[[], object], read: Callable[[Exception], str]
) -> None:
    with pytest.raises(Exception) as caught:
        provoke()
    assert read(caught.value) == OTHER


def test_click_speaks_in_capitals() -> None:
    command = click.Command("soak", params=[click.Option(["--JOBS"], required=True)])
    for words in (["--SED"], []):
        with pytest.raises(click.UsageError) as caught:
            command(words, standalone_mode=False)
        said = caught.value.format_message()
        assert said and said == said.upper()


# The system.


def test_why_the_system_refuses_is_said_in_our_words() -> None:
    assert reason(OSError(errno.ENOSPC, OTHER)) == "No space left on device"
    assert reason(OSError(errno.ENOTTY, OTHER)) == OTHER
    assert reason(OSError("no number")) == "no number"


def test_no_message_of_ours_holds_the_words_of_the_system() -> None:
    sources = modules(*PACKAGES).items()
    assert [path for path, source in sources if re.search(r"\{[^}]*\.strerror", source)] == []
