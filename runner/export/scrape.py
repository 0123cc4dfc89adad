"""A page with the newest figures, `/metrics` on the loopback, for Prometheus to scrape while a run lives."""

import threading
import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from runner.export.families import families
from runner.export.feed import Count
from runner.export.metrics import Snapshot
from schemas.errors import UsageError

HOST = "127.0.0.1"


class ScrapePage(Collector):
    """Serves the newest snapshot until it is closed. Raises UsageError when the port is taken."""

    def __init__(self, port: int) -> None:
        self.count = Count()
        self._shown: Snapshot | None = None
        self._fetched: Snapshot | None = None
        self._changed = threading.Condition()
        self._until = 0.0
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        try:
            self._server, self._thread = start_http_server(port, HOST, registry)
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"export: port {port}: {reason} (choose another `port`, or 0 for a free one)") from None
        self.url = f"http://{HOST}:{self._server.server_port}/metrics"

    def begin(self, snapshot: Snapshot) -> None:
        """Show a first one."""
        self.put(snapshot)

    def put(self, snapshot: Snapshot) -> None:
        """From now on show this one."""
        with self._changed:
            self._shown = snapshot

    def collect(self) -> Iterable[Metric]:
        """What a scrape is answered."""
        with self._changed:
            if not self._shown:
                return []
            self.count.exports += 1
            self._fetched = self._shown
            self._changed.notify()
        return list(families([self._fetched]))

    def stop(self, until: float) -> None:
        """Serve no longer than this time of the monotonic clock."""
        self._until = until

    def join(self, *, quietly: bool = False) -> None:
        """Close the page; whoever has come for figures before gets the chance to fetch the last."""
        with self._changed:
            left_s = max(0.0, self._until - time.monotonic()) if self._fetched else 0.0
            self._changed.wait_for(lambda: self._fetched is self._shown, left_s)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
