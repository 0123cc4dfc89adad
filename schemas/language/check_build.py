"""From checked data to checks and the teardown."""

from collections.abc import Mapping
from typing import Any

from soak.schemas import units
from soak.schemas.language.check import Action, Check, Exec, Expected, Http, Sql, Step, When
from soak.schemas.language.check_expect import parse_expected
from soak.schemas.language.outlets import Secret

Data = Mapping[str, Any]

DEFAULT_TIMEOUT_S = 10.0
"""How long a check or a step of the teardown may take, in real seconds."""


def build_checks(data: Data) -> tuple[Check, ...]:
    """The checks of a scenario. Raises UnclearError."""
    return tuple(check_of(each, data) for each in data.get("checks", ()))


def build_teardown(data: Data) -> tuple[Step, ...]:
    """The steps of its teardown."""
    return tuple(
        Step(each["name"], action_of(each), _tenants(each, data), _timeout_s(each)) for each in data.get("teardown", ())
    )


def check_of(each: Data, data: Data) -> Check:
    """A check of a scenario. Raises UnclearError."""
    when, every_s = when_of(each["when"])
    return Check(
        name=each["name"],
        action=action_of(each),
        tenants=_tenants(each, data),
        timeout_s=_timeout_s(each),
        when=when,
        every_s=every_s,
        within_s=units.duration(each["within"]) if "within" in each else 0.0,
        expected=expected_of(each["expect"]),
    )


def when_of(text: str) -> tuple[When, float]:
    """When a check is made, and its interval in seconds: `after`, `every 5m`. Raises ValueError."""
    word, _, interval = text.partition(" ")
    when = When(word)
    return when, units.duration(interval.strip()) if when is When.EVERY else 0.0


def expected_of(expect: Data) -> tuple[Expected, ...]:
    """The entries of `expect`. Raises UnclearError."""
    return tuple(parse_expected(field, written) for field, written in expect.items())


def action_of(each: Data) -> Action:
    """What a check or a step does."""
    if "exec" in each:
        return Exec(tuple(each["exec"]))
    if "sql" in each:
        return Sql(_place(each["sql"]["database"]), each["sql"]["query"])
    http = each["http"]
    return Http(
        method=http.get("method", "POST" if "json" in http or "body" in http else "GET"),
        url=http.get("url", ""),
        path=http.get("path", ""),
        query=tuple((name, str(value)) for name, value in http.get("query", {}).items()),
        headers=tuple((name, _place(value)) for name, value in http.get("headers", {}).items()),
        json=http.get("json"),
        body=http.get("body"),
    )


def _place(written: str | Data) -> str | Secret:
    return written if isinstance(written, str) else Secret(written.get("from_env"), written.get("from_file"))


def _timeout_s(each: Data) -> float:
    return units.duration(each["timeout"]) if "timeout" in each else DEFAULT_TIMEOUT_S


def _tenants(each: Data, data: Data) -> tuple[str, ...]:
    if "for_each" not in each:
        return ("",)
    return tuple(tenant["name"] for tenant in data["workload"]["tenants"])
