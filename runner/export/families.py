"""Snapshots as families of Prometheus: for the Pushgateway, the scrape endpoint, and files in the OpenMetrics format."""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from soak.runner.export.metrics import HELP, MetricSnapshot, is_counter


def families(snapshots: Sequence[MetricSnapshot], *, timed: bool = False) -> Iterator[Metric]:
    """The families of snapshots that follow each other, each series in time order; `timed`: with their times."""
    found: dict[str, dict[tuple[tuple[str, str], ...], list[tuple[float, float]]]] = {}
    for snapshot in snapshots:
        for reading in snapshot.readings:
            found.setdefault(reading.name, {}).setdefault(reading.labels, []).append((snapshot.time_s, reading.value))
    for name, series in found.items():
        kind = CounterMetricFamily if is_counter(name) else GaugeMetricFamily
        family = kind(name, HELP[name])
        for labels, values in series.items():
            for time_s, value in values:
                family.add_sample(name, dict(labels), value, time_s if timed else None)
        yield family


class _Families(Collector):
    """A collector for a registry."""

    def __init__(self, shown: Iterable[Metric]) -> None:
        self._shown = shown

    def collect(self) -> Iterable[Metric]:
        return self._shown


def registry_of(snapshots: Sequence[MetricSnapshot], *, timed: bool = False) -> CollectorRegistry:
    """A registry that shows these snapshots."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(list(families(snapshots, timed=timed))))
    return registry


def open_metrics(snapshots: Sequence[MetricSnapshot]) -> bytes:
    """Timed snapshots in the OpenMetrics format, for promtool."""
    from prometheus_client.openmetrics.exposition import generate_latest

    written: bytes = generate_latest(registry_of(snapshots, timed=True))
    return written
