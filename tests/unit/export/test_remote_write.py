"""Remote write: what a request holds, series by series."""

from cramjam import snappy

from soak.runner.export.metrics import MetricSnapshot, Reading
from soak.runner.export.remote_write import series_of, write_request, written

LABELS = (("scenario", "s"), ("run", "r"), ("fault", ""))
SNAPSHOTS = [
    MetricSnapshot(1_000.0004, (Reading("soak_tasks", LABELS, 1.5), Reading("soak_running", LABELS, 1.0))),
    MetricSnapshot(1_015.25, (Reading("soak_tasks", LABELS, 2.5),)),
]


def test_a_series_has_its_name_its_labels_in_order_and_its_samples() -> None:
    name = ("__name__", "soak_tasks")
    assert series_of(SNAPSHOTS)[(name, ("fault", ""), ("run", "r"), ("scenario", "s"))] == [
        (1_000_000, 1.5),
        (1_015_250, 2.5),
    ]


def test_a_request_is_read_back() -> None:
    message = write_request().FromString(bytes(snappy.decompress_raw(written(SNAPSHOTS))))
    tasks, running = message.timeseries  # type: ignore[attr-defined]
    assert [(each.name, each.value) for each in tasks.labels] == [
        ("__name__", "soak_tasks"),
        ("run", "r"),
        ("scenario", "s"),
    ]
    assert [(each.timestamp, each.value) for each in tasks.samples] == [(1_000_000, 1.5), (1_015_250, 2.5)]
    assert len(running.samples) == 1


def test_the_bytes_are_those_of_the_specification() -> None:
    """By hand, from the numbers of the fields: what our own messages agree on among themselves could be wrong all the same."""
    [only] = [MetricSnapshot(0.001, (Reading("a", (), 1.0),))]
    label = b"\x0a\x08__name__\x12\x01a"
    sample = b"\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\x01"
    series = b"\x0a" + bytes([len(label)]) + label + b"\x12" + bytes([len(sample)]) + sample
    assert bytes(snappy.decompress_raw(written([only]))) == b"\x0a" + bytes([len(series)]) + series
