"""A store in a temporary directory with a clock that tests set, and processes that end with their test."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from ensemble import Ensemble, FakeTime  # noqa: E402

from soak.systems.orchestrator import database, defects, leases  # noqa: E402
from soak.systems.orchestrator.db_store import Store  # noqa: E402
from soak.systems.orchestrator.settings import Settings  # noqa: E402


@pytest.fixture(autouse=True)
def _no_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(defects.VARIABLE, raising=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        db=str(tmp_path / "queue.db"),
        run_dir=str(tmp_path),
        lease_s=30.0,
        backoff_s=(60.0, 180.0),
        max_attempts=3,
        busy_timeout_s=0.02,
        soft_tokens=80,
        hard_tokens=100,
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr(database, "time", fake)
    monkeypatch.setattr(leases, "time", fake)
    return fake


@pytest.fixture
def store(settings: Settings, clock: FakeTime) -> Iterator[Store]:
    with Store(settings.db, settings) as opened:
        yield opened


@pytest.fixture
def ensemble() -> Iterator[Ensemble]:
    with Ensemble(ROOT) as started:
        yield started
