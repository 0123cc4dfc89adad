"""A finished run on its way to a receiver: in order, again when it fails, smaller when it is refused."""

import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
from receivers import receiving

from soak.runner.cli import run_command
from soak.runner.export.about import About
from soak.runner.export.afterwards import ATTEMPTS, Delivery, deliver, export_to
from soak.runner.export.database import ExportError
from soak.runner.export.feed import Feed
from soak.runner.export.metrics import MetricSnapshot, Reading
from soak.runner.export.otlp import OtlpMetrics, OtlpTraces
from soak.runner.export.post import Poster
from soak.schemas.errors import SoakError, UsageError
from soak.schemas.language.outlets import Export, ExportType, Secret

EXPORT = Export(ExportType.REMOTE_WRITE, 15, 5, required=True, url="http://h:1")
ABOUT = About("s", "0" * 64, "t", "r", 1, "real", 60.0, "c0ffee", dirty=True)


class Receiver:
    """Takes numbers, but not those it refuses; fails as often as it is told."""

    keeps_history = True
    most_at_once = 4

    def __init__(self, *, refuses: Sequence[int] = (), fails: int = 0, error: ExportError | None = None) -> None:
        self.taken: list[int] = []
        self.asked = 0
        self._refuses, self._fails, self._error = set(refuses), fails, error or ExportError("it is down")

    def send(self, items: Sequence[int]) -> None:
        self.asked += 1
        if self._fails:
            self._fails -= 1
            raise self._error
        if self._refuses & set(items):
            raise ExportError("it answered with status 400", refused=True)
        self.taken += items


def test_all_arrives_in_order_in_parts() -> None:
    receiver = Receiver()
    assert deliver(receiver, range(10), EXPORT, "numbers") == Delivery("remote_write http://h:1", "numbers", 10, 0)
    assert (receiver.taken, receiver.asked) == (list(range(10)), 3)


def test_what_is_refused_is_left_out_and_the_rest_arrives() -> None:
    receiver = Receiver(refuses=[2, 7])
    done = deliver(receiver, range(10), EXPORT, "numbers")
    assert receiver.taken == [0, 1, 3, 4, 5, 6, 8, 9]
    assert str(done) == "remote_write http://h:1: 8 numbers, 2 refused"


def test_an_interruption_says_what_was_taken(capsys: pytest.CaptureFixture[str]) -> None:
    class Interrupted(Receiver):
        def send(self, items: Sequence[int]) -> None:
            if self.asked == 2:
                raise KeyboardInterrupt
            super().send(items)

    with pytest.raises(KeyboardInterrupt):
        deliver(Interrupted(), range(10), EXPORT, "numbers")
    said = capsys.readouterr().err
    assert said.startswith("  sending 10 numbers to remote_write http://h:1\n")
    assert "remote_write http://h:1: interrupted: 8 of 10 numbers were taken\n" in said


def test_nothing_is_read_where_nothing_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("soak.runner.export.afterwards.send_run", lambda *_: pytest.fail("the run was read"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run_manifest.json").write_text("{}")
    for option in ("--otlp", "--remote-write", "--grafana", "--cloudevents"):
        assert run_command(["export", str(tmp_path / "run"), option, url]) == 1
        said = capsys.readouterr().err
        assert said.endswith(f" {url}: Connection refused; nothing was sent (start the receiver, or correct the URL)\n")
        assert said.count("\n") == 1


def test_a_receiver_that_comes_back_gets_it_all() -> None:
    receiver = Receiver(fails=ATTEMPTS - 1)
    assert deliver(receiver, range(5), EXPORT, "numbers", first_pause_s=0.001).sent == 5
    assert receiver.taken == list(range(5))


def test_one_that_does_not_come_back_is_given_up() -> None:
    receiver = Receiver(fails=99)
    with pytest.raises(SoakError, match=r"remote_write http://h:1: it is down, 5 times \(0 of 5 numbers were taken\)"):
        deliver(receiver, range(5), EXPORT, "numbers", first_pause_s=0.001)
    assert receiver.asked == ATTEMPTS


def test_what_somebody_must_change_is_not_tried_again() -> None:
    receiver = Receiver(fails=99, error=ExportError.of_status(401, "token"))
    with pytest.raises(SoakError, match=r"it refused the token \(status 401\) \(0 of 5"):
        deliver(receiver, range(5), EXPORT, "numbers")
    assert receiver.asked == 1


def test_a_receiver_that_refuses_everything() -> None:
    with pytest.raises(SoakError, match="it answered with status 400; all 3 numbers were refused"):
        deliver(Receiver(refuses=range(3)), range(3), EXPORT, "numbers")


def test_what_was_taken_in_part_is_never_sent_again() -> None:
    """`partial_success` of OpenTelemetry's protocol: field 1, with field 1 the number of points that were rejected."""
    snapshots = [MetricSnapshot(float(time_s), (Reading("soak_tasks", (), 1.0),)) for time_s in range(3)]
    with receiving(lambda request, before: (200, b"\x0a\x02\x08\x01")) as taken:
        metrics = OtlpMetrics(taken.url, Poster(5.0, {}), ABOUT)
        with pytest.raises(SoakError, match="it refused 1 data points; all 3 sets of metrics were refused"):
            deliver(metrics, snapshots, EXPORT, "sets of metrics")
        assert len(taken.requests) == 1
        feed = Feed("somewhere", metrics, 0.01)
        with pytest.raises(ExportError, match="it refused 1 data points"):
            feed.begin(snapshots[0], 5.0)
        feed.stop(float("inf"))
    assert (feed.count.lost, feed.count.errors) == (1, 1)


@pytest.mark.parametrize("metrics", [True, False])
def test_the_answer_of_something_else_is_no_error_of_ours(metrics: bool) -> None:
    with receiving(lambda request, before: (200, b"<html>Welcome</html>")) as taken:
        poster = Poster(5.0, {})
        receiver = OtlpMetrics(taken.url, poster, ABOUT) if metrics else OtlpTraces(taken.url, poster, ABOUT)
        with pytest.raises(ExportError, match="its answer is not of this protocol") as raised:
            receiver.send([])
    assert raised.value.lasting


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ("", None)),
        ({"SOAK_EXPORT_TOKEN": "x"}, ("", Secret("SOAK_EXPORT_TOKEN", None))),
        ({"SOAK_EXPORT_USERNAME": "me", "SOAK_EXPORT_PASSWORD": "x"}, ("me", Secret("SOAK_EXPORT_PASSWORD", None))),
    ],
)
def test_credentials_come_from_the_environment(
    environment: dict[str, str], expected: tuple[str, Secret | None]
) -> None:
    export = export_to(ExportType.OTLP, "http://h:4318/prefix/", environment, ["X-Org=ORG"])
    assert (export.username, export.secret) == expected
    assert (export.url, export.headers) == ("http://h:4318/prefix", (("X-Org", Secret("ORG", None)),))


@pytest.mark.parametrize(
    ("url", "environment", "headers", "said"),
    [
        ("127.0.0.1:4318", {}, [], "127.0.0.1:4318 is not a valid URL, or has other parts (write http"),
        ("http://h:99999", {}, [], "http://h:99999 is not a valid URL"),
        ("http://h:1?token=pw", {}, [], "the URL is not a valid URL, or has other parts"),
        ("http://h:1#pw", {}, [], "the URL is not a valid URL, or has other parts"),
        ("http://me:pw@h:1", {}, [], "the URL contains a user name or password (put them into SOAK_EXPORT_USERNAME"),
        (
            "http://h",
            {"SOAK_EXPORT_USERNAME": "me"},
            [],
            "only one of SOAK_EXPORT_USERNAME and SOAK_EXPORT_PASSWORD is set",
        ),
        ("http://h", {}, ["X-Org"], "--header: 'X-Org' is not NAME=VARIABLE (write X-Scope-OrgID=SOAK_ORG)"),
        (
            "http://h",
            {"SOAK_EXPORT_USERNAME": "me", "SOAK_EXPORT_PASSWORD": "x", "SOAK_EXPORT_TOKEN": "y"},
            [],
            "SOAK_EXPORT_USERNAME and SOAK_EXPORT_TOKEN are set (set one of them)",
        ),
    ],
)
def test_what_cannot_be_sent_to(url: str, environment: dict[str, str], headers: list[str], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        export_to(ExportType.OTLP, url, environment, headers)
    assert said in str(raised.value)
    assert "pw" not in str(raised.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--signal", "traces"], "--signal belongs to --otlp (remove it)"),
        (["--header", "A=B"], "--header belongs to a receiver (add --otlp URL)"),
        (["--otlp", "http://h:1", "--openmetrics"], "a run is either written or sent"),
        ([], "no format given (add --openmetrics, --line-protocol or --parquet, or --otlp URL)"),
    ],
)
def test_a_command_that_makes_no_sense(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["export", "nowhere", *words]) == 2
    assert said in capsys.readouterr().err
