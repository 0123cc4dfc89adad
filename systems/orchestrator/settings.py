"""What a process of the orchestrator is told: one JSON file, read once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

Guardrail = Literal["enforce", "warn"]


class SettingsError(Exception):
    """The settings file is missing or wrong; the message names the file and the setting."""


@dataclass(frozen=True)
class Settings:
    """Times are real seconds, fractions allowed. Attempt n that fails waits `backoff_s[n-1]`; the last value repeats."""

    db: str
    run_dir: str = "."
    """Where workers have the sockets they are woken by. Keep it short: a socket's path has at most 107 bytes."""

    poll_interval_s: float = 1.0
    watchdog_interval_s: float = 5.0
    lease_s: float = 30.0
    heartbeat_s: float | None = 10.0
    """None: nothing renews a lease."""

    backoff_s: tuple[float, ...] = (60.0, 180.0, 600.0)
    max_attempts: int = 4
    busy_timeout_s: float = 5.0
    soft_tokens: int = 80_000
    hard_tokens: int = 100_000
    guardrail: Guardrail = "enforce"
    claim_time_s: float = 0.0
    """Time between a dispatcher's reading of the queue and its claim."""

    finishes: bool = False
    """Asked to stop, a worker first does what it was given, however long that takes."""

    jitter: float = 0.0
    """The share of a wait that is drawn, from 0 to 1."""

    decorrelated: bool = False
    """A wait is drawn from the first of `backoff_s` to three times the wait before, at most `backoff_max_s`."""

    backoff_max_s: float = 86_400.0
    ack_early: bool = False
    """A task is acknowledged when it is handed out: it has no lease, and is forgotten when its worker dies."""

    max_deliveries: int | None = None
    """A task that would be delivered once more is dead-lettered: FAILED. None: the attempts alone decide."""

    kinds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By kind of task what it has of its own: `priority`, `queue`, `max_attempts`, `backoff_s` and its jitter, `hard_tokens`."""

    queues: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By name: `workers`, by their names, and `rate_per_s` with `at_once`. Without any, all workers take all tasks."""

    @property
    def look_s(self) -> float:
        """How often an idle worker looks whether there is something for it, should nobody have woken it."""
        return self.heartbeat_s or self.lease_s


def read_settings(path: Path) -> Settings:
    """The settings in a JSON file. Raises SettingsError."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"{path}: is not JSON: {error}") from None
    try:
        return settings_of(data)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None


def settings_of(data: object) -> Settings:
    """The settings in a mapping as JSON has it. Raises SettingsError."""
    if not isinstance(data, dict):
        raise SettingsError("must be a JSON object")
    known = {each.name for each in fields(Settings)}
    if unknown := sorted(set(data) - known):
        raise SettingsError(f"unknown setting {unknown[0]!r}; there are {', '.join(sorted(known))}")
    if "db" not in data:
        raise SettingsError("the setting 'db' is missing")
    checked = {name: _value(name, value) for name, value in data.items()}
    return Settings(**checked)  # type: ignore[arg-type]


_TEXTS = {"db", "run_dir"}
_TABLES = {"kinds", "queues"}
_COUNTS = {"max_attempts": 1, "soft_tokens": 0, "hard_tokens": 0, "max_deliveries": 1}
_OPTIONAL = {"heartbeat_s", "max_deliveries"}
_FLAGS = {"decorrelated", "ack_early", "finishes"}
_POSITIVE = {"poll_interval_s", "watchdog_interval_s", "lease_s", "heartbeat_s"}


def _value(name: str, value: object) -> object:
    if name in _OPTIONAL and value is None:
        return None
    if name in _FLAGS:
        return _checked(name, value, isinstance(value, bool), "true or false")
    if name in _TABLES:
        of_each = isinstance(value, dict) and all(isinstance(each, dict) for each in value.values())
        return _checked(name, value, of_each, "an object of objects")
    if name == "jitter":
        return _checked(name, value, _is_seconds(value) and float(str(value)) <= 1, "a share from 0 to 1")
    if name in _TEXTS:
        return _checked(name, value, isinstance(value, str) and value != "", "a path")
    if name == "guardrail":
        return _checked(name, value, value in get_args(Guardrail), "'enforce' or 'warn'")
    if name in _COUNTS:
        least = _COUNTS[name]
        ok = isinstance(value, int) and not isinstance(value, bool) and value >= least
        return _checked(name, value, ok, f"a whole number, at least {least}")
    if name == "backoff_s":
        items = value if isinstance(value, list) else []
        _checked(name, value, bool(items) and all(map(_is_seconds, items)), "a list of seconds, with at least one")
        return tuple(float(item) for item in items)
    ok = _is_seconds(value) and (value != 0 or name not in _POSITIVE)
    return _checked(name, value, ok, "seconds, more than 0" if name in _POSITIVE else "seconds, 0 or more")


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


def _checked(name: str, value: object, ok: bool, wanted: str) -> object:
    if not ok:
        raise SettingsError(f"{name} must be {wanted}, not {value!r}")
    return value
