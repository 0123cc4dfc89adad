"""Messages between processes: over a socket pair as frames with their length before them, of msgpack."""

import os
import select
import socket
import struct
from typing import Any, TypeAlias

import msgspec

Message: TypeAlias = dict[str, Any]
"""What is said, at the key `is`, and what belongs to it."""

_LENGTH = struct.Struct("<I")
_AT_ONCE = 1 << 18


def pack(message: Message) -> bytes:
    """A message as a frame."""
    content = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(content)) + content


class Frames:
    """Takes frames apart as they come in."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete now."""
        self._rest += data
        found: list[Message] = []
        start, size = 0, _LENGTH.size
        while len(self._rest) >= start + size:
            (length,) = _LENGTH.unpack_from(self._rest, start)
            if len(self._rest) < start + size + length:
                break
            found.append(msgspec.msgpack.decode(bytes(self._rest[start + size : start + size + length])))
            start += size + length
        del self._rest[:start]
        return found


class Pipe:
    """The runner's end of a socket pair; the other end is inherited by the process `fd` of which it is told."""

    def __init__(self) -> None:
        self._own, self._other = socket.socketpair()
        self._frames = Frames()
        self.closed = False
        """Whether the other side has ended."""

    @property
    def fd(self) -> int:
        """What the process at the other end inherits."""
        return self._other.fileno()

    def started(self) -> None:
        """The process has it."""
        self._other.close()

    def say(self, message: Message) -> None:
        """Send a message; one for a process that has ended is lost, which `closed` says the next time that it is read."""
        try:
            self._own.sendall(pack(message))
        except OSError:
            self.closed = True

    def read(self, patience_s: float = 0.0) -> list[Message]:
        """The messages that have come, waiting for some for `patience_s` at most."""
        found: list[Message] = []
        while not self.closed and _readable(self._own, 0.0 if found else patience_s):
            try:
                data = self._own.recv(_AT_ONCE)
            except ConnectionError:
                data = b""
            self.closed = not data
            found += self._frames.feed(data)
        return found

    def close(self) -> None:
        """End it: a process that still listens at the other end, ends."""
        self._own.close()
        self._other.close()
        self.closed = True


def _readable(end: socket.socket, patience_s: float) -> bool:
    # Not `select`, which knows no file descriptors above 1,023.
    poller = select.poll()
    poller.register(end, select.POLLIN)
    return bool(poller.poll(patience_s * 1000))


def own_end(fd: int) -> socket.socket:
    """The end that a process has inherited."""
    os.set_inheritable(fd, False)
    return socket.socket(fileno=fd)
