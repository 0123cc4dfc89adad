"""The settings file: what it says, and what is wrong with it."""

import json
from pathlib import Path

import pytest

from soak.systems.orchestrator.settings import Settings, SettingsError, read_settings, settings_of
from soak.systems.orchestrator.waits import wait_s


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps({"db": "queue.db", "poll_interval_s": 0.002, "backoff_s": [1, 2.5], "guardrail": "warn"})
    )
    assert read_settings(path) == Settings("queue.db", poll_interval_s=0.002, backoff_s=(1.0, 2.5), guardrail="warn")


@pytest.mark.parametrize(("attempt", "backoff_s"), [(1, 60), (2, 180), (3, 600), (4, 600), (99, 600)])
def test_the_last_backoff_repeats(attempt: int, backoff_s: float) -> None:
    assert wait_s(Settings("queue.db"), "7", attempt) == backoff_s


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "'db' is missing"),
        ('{"db": ""}', "db must be a path"),
        ('{"db": "q", "lease": 3}', "unknown setting 'lease'; there are ack_early"),
        ('{"db": "q", "lease_s": "3s"}', "lease_s must be seconds, more than 0, not '3s'"),
        ('{"db": "q", "poll_interval_s": 0}', "poll_interval_s must be seconds, more than 0"),
        ('{"db": "q", "claim_time_s": -1}', "claim_time_s must be seconds, 0 or more"),
        ('{"db": "q", "lease_s": NaN}', "lease_s must be seconds"),
        ('{"db": "q", "backoff_s": []}', "backoff_s must be a list of seconds, with at least one"),
        ('{"db": "q", "backoff_s": [1, true]}', "backoff_s must be"),
        ('{"db": "q", "max_attempts": 0}', "max_attempts must be a whole number, at least 1"),
        ('{"db": "q", "guardrail": "off"}', "guardrail must be 'enforce' or 'warn', not 'off'"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_settings(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.json: cannot be read: "):
        read_settings(tmp_path / "none.json")


def test_no_time_is_needed_for_a_claim() -> None:
    assert settings_of({"db": "q", "claim_time_s": 0}).claim_time_s == 0
