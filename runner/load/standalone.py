"""A worker that was started by hand, for a master elsewhere."""

import contextlib
import os
from collections.abc import Iterable

from soak.runner.console import remark
from soak.runner.extras import need
from soak.runner.linux import refuse_elsewhere
from soak.runner.load.children import Children
from soak.runner.load.frames import Message
from soak.schemas.errors import SoakError

_LOOK_REAL_S = 0.2


def work_for(host: str, port: int, name: str | None, patience_s: float) -> None:
    """Send requests as the master there says, until its run is over.

    patience_s: how long to try to reach it. Raises UsageError where it cannot be reached, or has no use for a worker.
    """
    refuse_elsewhere("soak locust-worker")
    need("http", "soak locust-worker")
    name = name or f"{os.uname().nodename}-{os.getpid()}"
    with contextlib.closing(Children(None)) as children:
        children.start(name, ["worker", host, str(port), name, str(patience_s)])
        while children.pids:
            _remark(name, f"{host}:{port}", children.read(_LOOK_REAL_S))
        _remark(name, f"{host}:{port}", children.read(0.0))
        if children.code(name):
            raise SoakError(f"the load worker {name} ended with exit code {children.code(name)}")


def _remark(name: str, master: str, messages: Iterable[Message]) -> None:
    """What a worker has told, for the one who started it."""
    for message in messages:
        match message["is"]:
            case "connected":
                remark(f"{name}: connected to {master}, waiting for the run to begin")
            case "begun":
                remark(f"{name}: the run begins")
            case "over":
                remark(f"{name}: the run is over, {message['requests']:,} requests sent")
