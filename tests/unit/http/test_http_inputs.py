"""Secrets and rows of data files: read once, all that is missing said at once, and never kept."""

import json
from pathlib import Path

import pytest

from soak.runner.api import simulate_scenario
from soak.runner.cli import run_command
from soak.runner.http import Inputs, Table, read_inputs
from soak.runner.http.inputs import of_any_request
from soak.schemas.errors import UsageError, WordingError
from soak.schemas.files import Folders
from soak.schemas.language.csv_files import read_table, withheld
from soak.schemas.language.http import Body, DataFile, Exchange, Http, Login, Pick, Request, Who
from soak.schemas.language.outlets import Secret

CSV = b'\xef\xbb\xbfid, name\r\n1,Ann\r\n\r\n2,"Bo, ""b"""\r\n'
SCENARIO = """
version: 1
name: told
system: gateway
duration: 1m
http:
  url: http://127.0.0.1:9
  variables: {key: {from_env: SOAK_TEST_KEY}}
  data: [{name: people, file: people.csv}]
workload: {arrivals: {rate: 5/s}, task: {request: {path: "/{people.name}", headers: {X-Key: "{key}"}}}}
slos: [success_rate >= 1%]
"""


def http_of(*names: str) -> Http:
    secrets = tuple((name, Secret(f"SOAK_TEST_{name.upper()}", None)) for name in names)
    return Http(variables=(("region", "eu"), *secrets), data=(DataFile("people", "people.csv", Pick.IN_ORDER),))


def test_a_file_of_values_is_read() -> None:
    assert read_table("a.csv", CSV) == Table(("id", "name"), (("1", "Ann"), ("2", 'Bo, "b"')))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "a.csv: has no rows"),
        (b"a,b\n", "a.csv: has no rows"),
        (b"a,b\n1,2\n1\n", "a.csv:3: has 1 values, the header 2"),
        (b"a,a\n1,2\n", "a.csv:1: a column has no name, or that of another"),
        (b"a,\n1,2\n", "a.csv:1: a column has no name, or that of another"),
        (b'a\n"1', "a.csv:2: is not CSV"),
        (b"a\n\xff\n", "a.csv: byte 2 is not UTF-8"),
    ],
)
def test_what_is_no_such_file_is_refused(content: bytes, what: str) -> None:
    with pytest.raises(WordingError) as caught:
        read_table("a.csv", content)
    assert caught.value.what == what


def test_all_that_is_missing_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAK_TEST_KEY", "s3cret\n")
    monkeypatch.setenv("SOAK_TEST_BYTES", "a\udcff")
    with pytest.raises(UsageError) as caught:
        read_inputs(http_of("key", "other", "more", "bytes"), Folders([tmp_path]), tmp_path)
    assert str(caught.value).splitlines() == [
        "http.variables.other: the environment variable SOAK_TEST_OTHER is not set (put the secret there)",
        "http.variables.more: the environment variable SOAK_TEST_MORE is not set (put the secret there)",
        "http.variables.bytes: the environment variable SOAK_TEST_BYTES: has a line break or is not text (put the secret there)",
        "http.data: people.csv: No such file or directory (name a file in the scenario's folder)",
    ]
    (tmp_path / "people.csv").write_bytes(CSV)
    assert read_inputs(http_of("key"), Folders([tmp_path]), tmp_path) == Inputs(
        {"key": "s3cret"}, {"people": read_table("people.csv", CSV)}
    )


def test_rows_and_secrets_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAK_TEST_KEY", "s3cret")
    (tmp_path / "people.csv").write_bytes(CSV)
    (tmp_path / "told.yaml").write_text(SCENARIO)
    assert run_command(["run", str(tmp_path / "told.yaml"), "--out", str(tmp_path / "run")]) == 0
    kept = [path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert not [each for each in kept if b"s3cret" in each or b"Ann" in each]
    copy = (tmp_path / "run" / "people.csv").read_bytes()
    assert copy == withheld("people.csv", CSV)
    assert copy.startswith(b"id,name\n# rows are not kept: 2 of them; SHA-256 of the file: ")
    # What was recorded can be read again, but no request can be made from it.
    assert run_command(["verify", str(tmp_path / "run")]) == 0
    assert simulate_scenario(tmp_path / "run" / "scenario.yaml")[0].verdict.value == "PASS"
    with pytest.raises(
        UsageError, match=r"http.data: people.csv: is a copy without rows \(run the original scenario\)"
    ):
        read_inputs(http_of("key"), Folders([tmp_path / "run"]), tmp_path)


def test_they_travel_as_data() -> None:
    inputs = Inputs({"key": "s3cret"}, {"people": read_table("people.csv", CSV)})
    assert Inputs.of_data(json.loads(json.dumps(inputs.as_data()))) == inputs


def test_the_data_of_logins_are_those_of_any_request() -> None:
    login = Login(Who.TENANT, Exchange(Request("POST", "/token", kind=Body.JSON, body={"a": ["{people.id}"]})), None)
    data = (DataFile("people", "people.csv", Pick.IN_ORDER), DataFile("orders", "orders.csv", Pick.RANDOM))
    assert of_any_request(Http(data=data, login=login)).data == data[:1]
    assert of_any_request(Http(data=data, headers=(("X", "{orders.id} {people}"),))).data == data[1:]
    assert of_any_request(Http(data=data)).data == ()
