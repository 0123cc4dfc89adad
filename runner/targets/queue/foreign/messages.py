"""Messages of the protocol, version 1 (docs/protocol.md, schemas/protocol.schema.json), as others send them.

Fields that are not known here are passed over, so that a newer client can say more.
"""

import json
from typing import Annotated, Literal, TypeAlias, TypeVar

import msgspec

from soak.contract import ChangeType
from soak.schemas.errors import shown

VERSION = 1
MOST_BYTES = 65_536
"""Of a line, its end included."""

MOST_NUMBER = 2**40
MOST_COUNT = 2**53
"""Whole numbers below it are exact in any language."""

_Name = Annotated[str, msgspec.Meta(max_length=200)]
_Pid = Annotated[int, msgspec.Meta(ge=1, lt=2**31)]
_Attempt = Annotated[int, msgspec.Meta(ge=1, lt=2**31)]
_Version = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
_Number = Annotated[int, msgspec.Meta(ge=0, lt=MOST_NUMBER)]
_Time = Annotated[float, msgspec.Meta(ge=0.0, lt=1e12)]
_Count = Annotated[int, msgspec.Meta(ge=0, lt=MOST_COUNT)]
End: TypeAlias = Literal["ok", "transient", "permanent"]


class WrongMessageError(Exception):
    """A line that is not a message of the protocol: its message says why."""


class _Message(msgspec.Struct, frozen=True, tag_field="op", gc=False):
    """A line: a JSON object, with its kind in `op`."""


class Hello(_Message, frozen=True, tag="hello"):
    """The first line of a body. `pid`, `host`, `worker`: of its process, if it knows them."""

    version: _Version
    role: _Name = "body"
    token: _Name = ""
    pid: _Pid | None = None
    host: _Name = ""
    worker: _Name = ""


class Payload(msgspec.Struct, frozen=True, gc=False):
    """What soak needs of a payload."""

    number: _Number


class Started(_Message, frozen=True, tag="started"):
    """A body starts. `payload`: as submitted, as text or as the JSON object that it is. `attempt`: what the system claims.

    at: when, by the clock of the system; only beside an account of that clock it counts.
    """

    payload: str | Payload
    id: _Name = ""
    attempt: _Attempt | None = None
    worker: _Name = ""
    own: bool = False
    at: _Time | None = None

    @property
    def number(self) -> int:
        """The number of the task. Raises WrongMessageError for a payload that was not submitted by soak."""
        if isinstance(self.payload, Payload):
            return self.payload.number
        try:
            return _PAYLOAD.decode(self.payload).number
        except (msgspec.DecodeError, UnicodeError):
            raise WrongMessageError(
                f"the payload {shown(self.payload)} is not the one of a task (pass on the payload as it was submitted)"
            ) from None


class Ended(_Message, frozen=True, tag="ended"):
    """The body ends: as it was asked to, or, with work of its own, by `end`."""

    id: _Name = ""
    end: End | None = None
    error: str = ""
    at: _Time | None = None


class Ready(_Message, frozen=True, tag="ready"):
    """The first line of a process that submits. `census`, `account`: whether it answers one, or is a whole system."""

    version: _Version
    census: bool = False
    account: bool = False


class Submitted(_Message, frozen=True, tag="submitted"):
    """What became of submission `n`. `task`: the id of the new task, of those that give an account; by default the key."""

    n: _Count
    answer: Literal["accepted", "refused", "busy", "unknown"]
    why: str = ""
    task: int | str | None = None


class Counts(msgspec.Struct, frozen=True, gc=False):
    """How many tasks are in each state; None where the system does not know."""

    pending: _Count | None = None
    in_progress: _Count | None = None
    done: _Count | None = None
    failed: _Count | None = None
    blocked: _Count | None = None
    cancelled: _Count | None = None


class Counted(_Message, frozen=True, tag="census"):
    """The answer to question `n`: counts, or why there are none."""

    n: _Count
    counts: Counts | None = None
    why: str = ""


class Changed(msgspec.Struct, frozen=True, gc=False):
    """A change of a task: see `soak.contract.Change`, whose `task_id` is `task` here."""

    type: ChangeType
    at: float
    key: str
    task: int | str | None = None
    attempt: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0
    worker: _Name = ""
    due: float = 0.0
    error: str = ""


class Changes(_Message, frozen=True, tag="changes"):
    """The answer to question `n`: changes since the last one, in order. `more`: there are others, to be asked for at once."""

    n: _Count
    changes: list[Changed] | None = None
    more: bool = False
    why: str = ""


class Processes(_Message, frozen=True, tag="processes"):
    """The answer to question `n`: ids of the processes of the system, by the names that workers pass to bodies."""

    n: _Count
    processes: dict[str, _Pid] | None = None
    why: str = ""


class Stopped(_Message, frozen=True, tag="stopped"):
    """The answer to question `n`: no body starts any more."""

    n: _Count
    why: str = ""


FromBody: TypeAlias = Hello | Started | Ended
FromSubmitter: TypeAlias = Ready | Submitted | Counted | Changes | Processes | Stopped
_T = TypeVar("_T")
_PAYLOAD = msgspec.json.Decoder(Payload)
_BODY: msgspec.json.Decoder[FromBody] = msgspec.json.Decoder(Hello | Started | Ended)
_SUBMITTER: msgspec.json.Decoder[FromSubmitter] = msgspec.json.Decoder(
    Ready | Submitted | Counted | Changes | Processes | Stopped
)


def of_body(line: bytes) -> FromBody:
    """A line of a body. Raises WrongMessageError."""
    return _decoded(_BODY, line)


def of_submitter(line: bytes) -> FromSubmitter:
    """A line of a process that submits. Raises WrongMessageError."""
    return _decoded(_SUBMITTER, line)


def encoded(**message: object) -> bytes:
    """A line of ours."""
    return msgspec.json.encode(message) + b"\n"


def counts_of(message: Counted) -> dict[str, int] | None:
    """What was counted; None where there is no answer."""
    if message.counts is None:
        return None
    found = {name: getattr(message.counts, name) for name in message.counts.__struct_fields__}
    return {name: count for name, count in found.items() if count is not None}


def refuses_version(version: int) -> str:
    """Why a client of another version is refused; empty for ours."""
    if version == VERSION:
        return ""
    remedy = "renew the client" if version < VERSION else "renew soak, or use an older client"
    return f"it speaks version {version} of the protocol, and this runner version {VERSION} ({remedy})"


def _decoded(decoder: "msgspec.json.Decoder[_T]", line: bytes) -> _T:
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        words = shown(line[:200].decode(errors="replace"))
        raise WrongMessageError(f"{words} is not a message of the protocol ({_expected(line)})") from None


def _expected(line: bytes) -> str:
    """What to send in place of a line."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return "send one JSON object in each line"
    if not isinstance(message, dict):
        return "send one JSON object in each line"
    return "see the fields of each op in docs/protocol.md"
