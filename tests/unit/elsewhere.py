"""A machine that is not Linux, as far as that can be pretended: run as `elsewhere.py PLATFORM`, it reads commands as JSON."""

import contextlib
import io
import json
import os
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path

SYSTEM = ("fcntl", "resource", "pwd", "termios", "tty", "pty", "grp", "syslog", "prctl")
CLIENTS = ("httpx", "tenacity", "purgatory", "aiolimiter", "sniffio", "distributed")
OUTLETS = ("prometheus_client", "influxdb_client", "apprise")
ELSEWHERE = {
    os: ("sched_getaffinity", "killpg", "setsid", "getpgid", "posix_spawn", "getuid", "geteuid", "O_NONBLOCK"),
    signal: ("SIGHUP", "SIGSTOP", "SIGCONT", "pthread_sigmask"),
    socket: ("AF_UNIX",),
}
# These look at the platform while they are imported, and have code for each.
STANDARD = (
    "subprocess",
    "asyncio",
    "uuid",
    "ctypes",
    "multiprocessing.connection",
    "multiprocessing.popen_spawn_posix",
)
LIBRARIES = ("click.testing", "yaml", "jsonschema", "numpy", "msgspec", "jinja2", "simpy", "psutil", "rich.progress")
PLOTS = ("matplotlib.backends.backend_svg", "concurrent.futures.process", "junitparser")


def pretend(platform: str) -> None:
    """From here on, what Linux alone has is not there."""
    for name in (*STANDARD, *LIBRARIES, *PLOTS):
        import_module(name)
    for name in (*SYSTEM, *CLIENTS, *OUTLETS):
        sys.modules[name] = None  # type: ignore[assignment]
    for module, names in ELSEWHERE.items():
        for name in names:
            # Every system but Windows has local sockets, of which the pipes of worker processes are made.
            if hasattr(module, name) and (name != "AF_UNIX" or platform == "win32"):
                delattr(module, name)
    sys.platform = platform


def main() -> None:
    """Run each command; write the exit codes and what was said as JSON."""
    pretend(sys.argv[1])
    from soak.runner.cli import run_command

    done = []
    for words in json.load(sys.stdin):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run_command(words)
        done.append([code, out.getvalue(), err.getvalue()])
    Path(sys.argv[2]).write_text(json.dumps(done), encoding="utf-8")


if __name__ == "__main__":
    main()
