"""One probe of a program, as a target file describes it. It ends within its timeout, whatever it asks."""

import asyncio
import re
import shlex
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from soak.runner.targets.processes.brief import answer_of
from soak.runner.targets.processes.identity import ProcessId
from soak.runner.targets.processes.notify import NotifySocket
from soak.runner.targets.processes.ports import LOOPBACK, listeners, listens
from soak.runner.targets.processes.requests import RequestError, request
from soak.schemas.errors import quoted, reason, shortened
from soak.schemas.target.model import Probe, ProbeKind

_OWN = frozenset({LOOPBACK, "localhost", "::1"})
_MOST_OUTPUT = 1_000_000
_MOST_LOG = 4_000_000


class Subject(Struct, frozen=True):
    """What is probed, beside what the probe itself says: its log and where its output begins there, what it notifies.

    environment, folder: of commands; None: soak's own. process, port: what must listen there to be green, if it is probed by
    http or tcp at that port; None: it does not matter.
    """

    log: Path | None = None
    log_from: int = 0
    notify: NotifySocket | None = None
    environment: Mapping[str, str] | None = None
    folder: Path | None = None
    process: ProcessId | None = None
    port: int | None = None


class Probed(Struct, frozen=True):
    """The result of a probe: whether it is green, in words why not, and the seconds that it took."""

    green: bool
    reason: str = ""
    took_s: float = 0.0


class _RedError(Exception):
    """The probe is not green: why."""


async def probe(how: Probe, subject: Subject) -> Probed:
    """The result of a probe, within its timeout."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(how.timeout_s):
            await _KINDS[how.kind](how, subject)
            if _has_own_port(how, subject):
                # It looks through the files of many processes: what waits in this loop must not wait for that.
                await asyncio.to_thread(_refuse_stranger, subject)
    except TimeoutError:
        return Probed(False, f"no answer within {how.timeout_s:g} s", time.monotonic() - began)
    except _RedError as red:
        return Probed(False, str(red), time.monotonic() - began)
    return Probed(True, "", time.monotonic() - began)


def _has_own_port(how: Probe, subject: Subject) -> bool:
    """Whether the port that is probed must be that of the process itself."""
    if subject.process is None or subject.port is None or how.kind not in {ProbeKind.HTTP, ProbeKind.TCP}:
        return False
    host, port = _place(how)
    return host in _OWN and port == subject.port


def _refuse_stranger(subject: Subject) -> None:
    """Raises _RedError where one has answered that was there before the process was started: one that was left behind."""
    assert subject.process is not None
    assert subject.port is not None
    if listens(subject.process.pid, subject.port):
        return
    # What listens for it may be started by it, or for it, such as the proxy of a container; but not before it.
    others = [each.id.started_ticks for each in listeners(subject.port)]
    if others and max(others) < subject.process.started_ticks:
        raise _RedError("another process has its port")


def _place(how: Probe) -> tuple[str, int]:
    """The host and port that are probed."""
    if how.kind is ProbeKind.TCP:
        host, _, port = how.what.rpartition(":")
        return host or LOOPBACK, int(port)
    parts = urlsplit(how.what)
    return parts.hostname or "", parts.port or 80


async def _http(how: Probe, subject: Subject) -> None:
    try:
        # The limit around it is as long, and says the same.
        answer = await request(how.what, how.timeout_s)
    except RequestError as error:
        raise _RedError(str(error)) from None
    if answer.status not in (how.status or range(200, 300)):
        raise _RedError(f"answered {answer.status}")
    _look_for(how.contains, answer.body, "the answer")


def _look_for(text: str | None, content: bytes, what: str) -> None:
    if text is not None and text.encode() not in content:
        raise _RedError(f"{what} does not contain {quoted(text)}")


async def _tcp(how: Probe, subject: Subject) -> None:
    host, _, port = how.what.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host or LOOPBACK, int(port))
    except OSError as error:
        raise _RedError(reason(error)) from None
    writer.transport.abort()


async def _exec(how: Probe, subject: Subject) -> None:
    # In a thread, which ends in time by itself: what asyncio starts is closed late where it is cancelled.
    code, output = await asyncio.to_thread(_run, how, subject)
    if code:
        raise _RedError(f"the command exited with {code}")
    _look_for(how.contains, output, "the output of the command")


def _run(how: Probe, subject: Subject) -> tuple[int, bytes]:
    """What a command exited with, and what it wrote. Raises _RedError, and TimeoutError after the timeout of the probe."""
    try:
        said = answer_of(
            shlex.split(how.what), subject.folder, subject.environment, how.timeout_s, _MOST_OUTPUT, errors=True
        )
    except OSError as error:
        raise _RedError(f"the command cannot be started: {reason(error)}") from None
    if said.code is None:
        raise TimeoutError
    return said.code, said.output


async def _file(how: Probe, subject: Subject) -> None:
    try:
        written = Path(how.what).stat().st_mtime
    except OSError as error:
        raise _RedError(f"{shortened(Path(how.what).name)}: {reason(error)}") from None
    age_s = time.time() - written
    if how.fresh_s is not None and age_s > how.fresh_s:
        raise _RedError(f"{shortened(Path(how.what).name)} was written to {age_s:.1f} s ago")


async def _log(how: Probe, subject: Subject) -> None:
    if subject.log is None:
        raise _RedError("its output is not in a log of soak")
    try:
        with subject.log.open("rb") as file:
            file.seek(subject.log_from)
            text = file.read(_MOST_LOG).decode(errors="replace")
    except OSError as error:
        raise _RedError(f"{subject.log.name}: {reason(error)}") from None
    # The last line may not be whole yet.
    whole, end, _ = text.rpartition("\n")
    if not (end and re.search(how.what, whole, re.MULTILINE)):
        raise _RedError(f"no line matches {quoted(how.what)}")


async def _notify(how: Probe, subject: Subject) -> None:
    if subject.notify is None or subject.notify.ready_at is None:
        raise _RedError("has not sent READY=1")
    last = subject.notify.watchdog_at
    if how.fresh_s is not None and (last is None or time.monotonic() - last > how.fresh_s):
        raise _RedError(f"has not sent WATCHDOG=1 for {time.monotonic() - (last or 0.0):.1f} s")


_KINDS: Mapping[ProbeKind, Callable[[Probe, Subject], Awaitable[None]]] = {
    ProbeKind.HTTP: _http,
    ProbeKind.TCP: _tcp,
    ProbeKind.EXEC: _exec,
    ProbeKind.FILE: _file,
    ProbeKind.LOG: _log,
    ProbeKind.NOTIFY: _notify,
}
