"""What goes over the wire: a snapshot in the formats of Prometheus and InfluxDB."""

import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from soak.runner.export.families import open_metrics, registry_of
from soak.runner.export.influxdb import line_protocol
from soak.runner.export.metrics import MetricSnapshot, Reading
from soak.runner.export.scrape import ScrapePage
from soak.schemas.errors import UsageError

ODD = 'a "b", c=\\d\n{e}'
SNAPSHOTS = [
    MetricSnapshot(1_000.25, (Reading("soak_tasks", (("state", "DONE"),), 1.0), Reading("soak_events_total", (), 5.0))),
    MetricSnapshot(1_060.0, (Reading("soak_tasks", (("state", ODD),), 0.1 + 0.2),)),
]


def test_openmetrics() -> None:
    assert open_metrics(SNAPSHOTS).decode().splitlines() == [
        "# HELP soak_tasks Tasks by state.",
        "# TYPE soak_tasks gauge",
        'soak_tasks{state="DONE"} 1.0 1000.25',
        'soak_tasks{state="a \\"b\\", c=\\\\d\\n{e}"} 0.30000000000000004 1060.0',
        "# HELP soak_events Events by type.",
        "# TYPE soak_events counter",
        "soak_events_total 5.0 1000.25",
        "# EOF",
    ]


def test_line_protocol() -> None:
    assert line_protocol(SNAPSHOTS).decode().splitlines() == [
        "soak_tasks,state=DONE value=1 1000250",
        "soak_events_total value=5 1000250",
        'soak_tasks,state=a\\ "b"\\,\\ c\\=\\d\\n{e} value=0.30000000000000004 1060000',
    ]


def test_a_page_shows_the_newest_and_counts_who_asks() -> None:
    page = ScrapePage(0)
    try:
        with urllib.request.urlopen(page.url, timeout=5) as answer:
            assert answer.read() == b""
        for snapshot in SNAPSHOTS:
            page.put(snapshot)
        with urllib.request.urlopen(page.url, timeout=5) as answer:
            [family] = text_string_to_metric_families(answer.read().decode())
        assert [(sample.labels, sample.value) for sample in family.samples] == [({"state": ODD}, 0.1 + 0.2)]
        assert page.count.exports == 1
        port = int(page.url.rpartition(":")[2].partition("/")[0])
        with pytest.raises(UsageError, match=f"port {port}: Address already in use"):
            ScrapePage(port)
    finally:
        page.join()


def test_a_registry_holds_nothing_twice() -> None:
    families = list(registry_of(SNAPSHOTS[:1]).collect())
    assert [family.name for family in families] == ["soak_tasks", "soak_events"]
