"""A PostgreSQL server as a service of a run: `python -m soak.systems.adapters.postgres --dir DIR --port P`.

The cluster is made when DIR has none, with the user of the option `--user` and without passwords, on the loopback only.
PostgreSQL refuses to be run by root: then it is run by the user `postgres`, or `nobody`. Where that user cannot reach DIR, the
cluster is in a temporary directory, and DIR has a file that says where. SIGTERM and SIGINT stop the server, whose cluster in
such a directory goes with it; SIGQUIT stops it, too, as a crash would, and keeps it. When this process is killed, the server
ends.
"""

import argparse
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

FAILED = 1
WHERE = "where"
_PROGRAMS = Path("/usr/lib/postgresql")
_USERS = ("postgres", "nobody")
_TEMPORARY = "soak-postgres-"


class ServerError(Exception):
    """It cannot be run; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it until a signal; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m soak.systems.adapters.postgres", description=__doc__)
    parser.add_argument("--dir", required=True, type=Path, metavar="DIR", help="where the cluster is")
    parser.add_argument("--port", required=True, type=int, help="TCP port")
    parser.add_argument("--user", default="soak", help="name of the database user, a superuser")
    parser.add_argument("--fsync", action="store_true", help="write through to the disk, as in production; slower")
    asked = parser.parse_args(arguments)
    try:
        return Server(asked.dir.absolute(), asked.port, asked.user, fsync=asked.fsync).run()
    except ServerError as error:
        sys.stderr.write(f"postgres: {error}\n")
        return FAILED


class Server:
    """One server; `directory` may be made by an earlier one."""

    def __init__(self, directory: Path, port: int, name: str, *, fsync: bool = False) -> None:
        self._directory, self._port = directory, port
        self._name, self._fsync = name, fsync
        self._programs = programs()
        self._user = other_user()
        self._stopped = 0

    def run(self) -> int:
        """Until a signal, or until the server has ended by itself."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self._stop)
        cluster = self._cluster()
        if not (cluster / "PG_VERSION").exists():
            self._make(cluster)
        server = self._start(self._command(cluster))
        while server.poll() is None:
            if self._stopped:
                # Immediately: what is not in the log of a transaction that was committed is not missed.
                server.send_signal(signal.SIGQUIT)
            try:
                server.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        if self._stopped and self._stopped != signal.SIGQUIT and cluster != self._directory:
            shutil.rmtree(cluster, ignore_errors=True)
        return 0 if self._stopped else FAILED

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._stopped = number

    def _cluster(self) -> Path:
        """The directory of the cluster, which the user can reach."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._user is None:
            return self._directory
        where = self._directory / WHERE
        if where.exists():
            return Path(where.read_text(encoding="utf-8"))
        os.chown(self._directory, self._user.pw_uid, self._user.pw_gid)
        if self._reaches(self._directory):
            return self._directory
        temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY))
        os.chown(temporary, self._user.pw_uid, self._user.pw_gid)
        where.write_text(str(temporary), encoding="utf-8")
        return temporary

    def _reaches(self, directory: Path) -> bool:
        return self._run(["/bin/sh", "-c", 'cd "$0" && test -w .', str(directory)]) == 0

    def _make(self, cluster: Path) -> None:
        words = [
            *self._of("initdb"),
            "--username",
            self._name,
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--locale",
            "C",
        ]
        if code := self._run([*words, "--no-sync", "--wal-segsize", "1", "--pgdata", str(cluster)]):
            raise ServerError(f"initdb ended with {code}")

    def _command(self, cluster: Path) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": "100",
            "min_wal_size": "2MB",
            # A crash of the server loses nothing that was committed; one of the computer is not for a soak.
            "fsync": "on" if self._fsync else "off",
        }
        chosen = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [*self._of("postgres"), "-D", str(cluster), *chosen]

    def _of(self, name: str) -> list[str]:
        return [str(self._programs / name)]

    def _run(self, command: list[str]) -> int:
        return self._start(command).wait()

    def _start(self, command: list[str]) -> "subprocess.Popen[bytes]":
        # The signal that a process gets when its parent ends is undone by a change of user: `setpriv` does both in this order.
        words = ["setpriv", "--pdeathsig", "QUIT"]
        if self._user:
            words += [f"--reuid={self._user.pw_uid}", f"--regid={self._user.pw_gid}", "--clear-groups"]
        try:
            return subprocess.Popen(
                [*words, *command], cwd="/", stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True
            )
        except OSError as error:
            raise ServerError(f"{words[0]}: {os.strerror(error.errno or 0)}") from None


def programs() -> Path:
    """Where PostgreSQL's programs are: the newest in Debian's place, or on the PATH. Raises ServerError."""
    found = [path.parent for path in _PROGRAMS.glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda path: [int(part) for part in path.parent.name.split(".") if part.isdigit()])
    if path := shutil.which("initdb"):
        return Path(path).resolve().parent
    raise ServerError("PostgreSQL is not installed (apt-get install postgresql)")


def other_user() -> pwd.struct_passwd | None:
    """Who runs it instead of root; None where this process is not root's. Raises ServerError."""
    if os.geteuid():
        return None
    for name in _USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ServerError("there is no user but root to run it (add a user postgres)")


if __name__ == "__main__":
    raise SystemExit(main())
