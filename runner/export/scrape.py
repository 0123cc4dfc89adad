"""A page with the newest figures, `/metrics` on the loopback, for Prometheus to scrape while a run lives."""

import threading
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from runner.export.families import families
from runner.export.metrics import Snapshot
from schemas.errors import UsageError

HOST = "127.0.0.1"


class ScrapePage(Collector):
    """Serves the newest snapshot until it is closed. Raises UsageError when the port is taken."""

    def __init__(self, port: int) -> None:
        self.scrapes = 0
        self._shown: Sequence[Snapshot] = ()
        self._counting = threading.Lock()
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        try:
            self._server, self._thread = start_http_server(port, HOST, registry)
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"export: port {port}: {reason} (choose another `port`, or 0 for a free one)") from None
        self.url = f"http://{HOST}:{self._server.server_port}/metrics"

    def show(self, snapshot: Snapshot) -> None:
        """From now on show this one."""
        self._shown = (snapshot,)

    def collect(self) -> Iterable[Metric]:
        """What a scrape is answered."""
        with self._counting:
            self.scrapes += 1
        return list(families(self._shown))

    def close(self) -> None:
        """Serve no longer."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
