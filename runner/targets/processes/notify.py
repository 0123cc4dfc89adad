"""What a process reports of itself by sd_notify: datagrams with `READY=1` or `WATCHDOG=1` to the socket in NOTIFY_SOCKET."""

import secrets
import socket
import time

from soak.runner.targets.processes.background import Background

VARIABLE = "NOTIFY_SOCKET"
_LONGEST = 65_536


class NotifySocket:
    """The socket of one start of a process. ready_at, watchdog_at: monotonic seconds of the first and last message, or None."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        # An abstract address: no file is left, and no path is too long.
        address = f"soak-notify-{secrets.token_hex(8)}"
        self._socket.bind(f"\0{address}")
        self.environment = {VARIABLE: f"@{address}"}
        """Variables for the process."""
        self.ready_at: float | None = None
        self.watchdog_at: float | None = None
        self.status = ""
        background.listen(self._socket.fileno(), self._read)

    def _read(self) -> None:
        while True:
            try:
                message = self._socket.recv(_LONGEST).decode(errors="replace")
            except OSError:
                return
            for line in message.split("\n"):
                self._take(line, time.monotonic())

    def _take(self, line: str, now: float) -> None:
        key, _, value = line.partition("=")
        if (key, value) == ("READY", "1"):
            self.ready_at = self.ready_at or now
            self.watchdog_at = now
        elif (key, value) == ("WATCHDOG", "1"):
            self.watchdog_at = now
        elif key == "STATUS":
            self.status = value

    def close(self) -> None:
        """Listen no longer."""
        self._background.ignore(self._socket.fileno())
        self._socket.close()
