"""The endpoint `/metrics` on the loopback interface, for Prometheus to scrape during a run."""

import threading
import time

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from soak.runner.export.families import registry_of
from soak.runner.export.feed import ExportCounts
from soak.runner.export.metrics import MetricSnapshot
from soak.runner.loopback import HOST, LoopbackHandler, open_server
from soak.schemas.errors import UsageError

PATH = "/metrics"


class ScrapePage:
    """Serves the newest snapshot until it is closed. Raises UsageError when the port is taken."""

    def __init__(self, port: int) -> None:
        self.count = ExportCounts()
        self._shown: MetricSnapshot | None = None
        self._fetched: MetricSnapshot | None = None
        self._changed = threading.Condition()
        self._until = 0.0
        page = self

        class Handler(LoopbackHandler):
            def answer(self) -> None:
                if self.path.partition("?")[0] == PATH:
                    self.reply(200, CONTENT_TYPE_LATEST, page.fetch())
                else:
                    self.reply(404, "text/plain", b"there is /metrics\n")

        try:
            self._server = open_server(port, Handler)
        except UsageError as error:
            raise UsageError(f"export: {error} (choose another `port`, or 0 for a free one)") from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), daemon=True)
        self._thread.start()
        self.url = f"http://{HOST}:{self._server.server_port}{PATH}"

    def begin(self, snapshot: MetricSnapshot, patience_s: float = 0.0) -> None:
        """Show a first one."""
        self.put(snapshot)

    def put(self, snapshot: MetricSnapshot) -> None:
        """From now on show this one."""
        with self._changed:
            self._shown = snapshot

    def fetch(self) -> bytes:
        """What a scrape is answered."""
        with self._changed:
            if not self._shown:
                return b""
            shown = self._fetched = self._shown
            self.count.exports += 1
            self._changed.notify_all()
        return generate_latest(registry_of([shown]))

    def stop(self, until: float) -> None:
        """Serve no longer than this time of the monotonic clock."""
        self._until = until

    def join(self, *, quietly: bool = False) -> None:
        """Close the endpoint, after giving previous scrapers the chance to fetch the last values."""
        with self._changed:
            left_s = max(0.0, self._until - time.monotonic()) if self._fetched else 0.0
            self._changed.wait_for(lambda: self._fetched is self._shown, left_s)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
