"""What a supervisor reports of itself in files of JSON lines, followed as they grow."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

_AT_ONCE_BYTES = 1 << 20


class Said(msgspec.Struct, gc=False):
    """A line of any of the files; what it does not say is None or empty. at: seconds since 1970."""

    at: float
    process: str = ""
    event: str = ""
    pid: int | None = None
    exit: int | None = None
    green: bool | None = None
    reason: str = ""
    count: int | None = None
    rule: str = ""
    state: str = ""
    ok: bool | None = None
    error: str | None = None
    left: int | None = None
    rss_bytes: int | None = None
    minute: int | None = None


@dataclass(slots=True)
class _File:
    path: Path
    offset: int = 0


class Says:
    """The files of a target file's `says`, by what they are about, from their beginning."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = {what: _File(Path(path)) for what, path in files.items()}
        self._decode = msgspec.json.Decoder(Said).decode
        self.damaged = 0

    def __contains__(self, what: str) -> bool:
        return what in self._files

    def read(self) -> Iterator[tuple[str, Said]]:
        """What is new, of each file in its order."""
        for what, each in self._files.items():
            while lines := self._lines(each):
                for line in lines:
                    try:
                        yield what, self._decode(line)
                    except (msgspec.MsgspecError, ValueError, RecursionError):
                        self.damaged += 1

    def _lines(self, each: _File) -> list[bytes]:
        """Whole lines; half a line waits for its rest."""
        try:
            if each.path.stat().st_size <= each.offset:
                return []
            with each.path.open("rb") as file:
                file.seek(each.offset)
                content = file.read(_AT_ONCE_BYTES)
        except OSError:
            return []
        end = content.rfind(b"\n") + 1
        each.offset += end
        return content[:end].splitlines()
