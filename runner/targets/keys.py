"""Mapping between the plan's numbers and the keys and payloads of the system under test."""

import json

from soak.schemas.stream.events import KEY_SHIFT


def key_of(number: int) -> str:
    """The idempotency key of a task."""
    return str(number >> KEY_SHIFT)


def number_of(key: str) -> int:
    """The task number of the first submission of a key."""
    return int(key) << KEY_SHIFT


def payload_of(number: int, kind: str = "") -> str:
    """The payload of a task: its number, and its kind of work where it has one."""
    return json.dumps({"number": number, "kind": kind}) if kind else f'{{"number": {number}}}'


def kind_of(payload: str) -> str:
    """The kind of work that a payload tells; empty for none."""
    return str(json.loads(payload).get("kind", ""))
