"""A Prometheus Pushgateway, through the client library of Prometheus."""

from collections.abc import Sequence
from http.client import HTTPException
from urllib.error import HTTPError, URLError

from prometheus_client.exposition import basic_auth_handler, default_handler, push_to_gateway

from soak.runner.export.database import ExportError
from soak.runner.export.families import registry_of
from soak.runner.export.metrics import MetricSnapshot
from soak.schemas.language.outlets import Export

JOB = "soak"


class Pushgateway:
    """Keeps the latest snapshot of each scenario: a push replaces the previous one."""

    keeps_history = False
    most_at_once = 1

    def __init__(self, export: Export, secret: str, scenario: str) -> None:
        self._export = export
        self._secret = secret
        self._grouping = {"scenario": scenario}

    def send(self, snapshots: Sequence[MetricSnapshot]) -> None:
        """Push the latest snapshot. Raises ExportError."""
        try:
            push_to_gateway(
                self._export.url,
                JOB,
                registry_of(snapshots[-1:]),
                self._grouping,
                self._export.timeout_s,
                self._handler if self._secret else default_handler,
            )
        except HTTPError as error:
            raise ExportError.of_status(error.code) from None
        except URLError as error:
            raise ExportError.of(error.reason) from None
        except (OSError, HTTPException, ValueError) as error:
            raise ExportError.of(error) from None

    def _handler(self, url, method, timeout, headers, data):  # type: ignore[no-untyped-def]
        return basic_auth_handler(url, method, timeout, headers, data, self._export.username, self._secret)
