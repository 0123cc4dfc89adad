"""The libraries that we use say everything in other words while the tests run.

Their wording is not ours to promise, and the next release may have another: a test that expects it is red here, and so is one of
code that reads it.
"""

import json
import re
import sqlite3
import sys
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import click
import httpx
import jinja2
import jsonschema
import msgspec
import yaml

OTHER = "(other words)"

_ERRORS: tuple[Any, ...] = (
    yaml.YAMLError,
    yaml.MarkedYAMLError,
    jinja2.TemplateError,
    jinja2.TemplateSyntaxError,
    msgspec.MsgspecError,
    sqlite3.Error,
    httpx.HTTPError,
    json.JSONDecodeError,
    ElementTree.ParseError,
)


def _words(error: Exception) -> str:
    """Other words, but where coverage, which measures the tests, goes by those of sqlite3."""
    return str(error.args[0]) if error.args and "coverage_schema" in str(error.args[0]) else OTHER


def speak_otherwise() -> None:
    """Replace what PyYAML, jsonschema, click, Jinja, msgspec, httpx, sqlite3, json and the XML parser say, in this process."""
    for error in _ERRORS:
        error.__str__ = _words
    for error, name in (
        (yaml.MarkedYAMLError, "context"),
        (yaml.MarkedYAMLError, "problem"),
        (jsonschema.ValidationError, "message"),
        (json.JSONDecodeError, "msg"),
    ):
        _replace(error, name)
    jinja2.TemplateError.message = property(_other)  # type: ignore[assignment, method-assign]
    for module in [sys.modules[name] for name in sys.modules if name.partition(".")[0] == click.__name__]:
        if hasattr(module, "_"):
            module._ = _in_capitals  # click fills in its texts after it has had them translated
        if hasattr(module, "ngettext"):
            module.ngettext = lambda one, more, n: _in_capitals(one if n == 1 else more)


def _other(_: object) -> str:
    return OTHER


def _in_capitals(text: str) -> str:
    return re.sub(r"\{[^}]*\}|%\S*|[^{}%]+", lambda part: part[0] if part[0][0] in "{%" else part[0].upper(), text)


def _replace(error: Any, name: str) -> None:
    """An attribute that holds a text holds another, if the library sets it at all."""

    def write(self: Any, text: object) -> None:
        self.__dict__[name] = text and OTHER

    read: Callable[[Any], Any] = lambda self: self.__dict__.get(name)  # noqa: E731
    setattr(error, name, property(read, write))
