"""How a user names a queue: what is found, and what is said when it is not."""

from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from memory_queue import MemoryQueue

from soak.runner.targets import locate
from soak.runner.targets.make import make_target
from soak.schemas.errors import UsageError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with a few modules."""
    (tmp_path / "contract_fine.py").write_text("from memory_queue import MemoryQueue as Fine\nnothing = 3\n")
    (tmp_path / "contract_needs.py").write_text("import no_such_package\n")
    (tmp_path / "contract_breaks.py").write_text("1 / 0\n")
    (tmp_path / "contract_ends.py").write_text("raise SystemExit(0)\n")
    (tmp_path / "contract_poor.py").write_text("class Poor:\n    def claim(self): ...\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_class_is_found_by_its_module(here: Path) -> None:
    target = make_target("contract_fine:Fine", 60)
    assert (target.name, target.clock, target.speed) == ("contract_fine:Fine", "real", 60)
    assert locate.find_class("contract_fine:Fine") is MemoryQueue


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("contract_nowhere:Queue", "no module 'contract_nowhere' (write package.module:Class, with the module in"),
        ("contract_fine.sub:Queue", "no module 'contract_fine.sub' (write package.module:Class"),
        ("contract_needs:Queue", "importing contract_needs raised ModuleNotFoundError: "),
        ("contract_breaks:Queue", "importing contract_breaks raised ZeroDivisionError: "),
        ("contract_ends:Queue", "importing contract_ends raised SystemExit: 0"),
        ("contract_fine:nothing.more", "contract_fine has no 'more' (it contains no class)"),
        ("contract_fine:Fin", "contract_fine has no 'Fin' (did you mean 'Fine'?)"),
        ("contract_fine:nothing", "contract_fine:nothing is not a class but 3 (write package.module:Class)"),
        ("contract_fine:", "'contract_fine:' does not name a class"),
        ("../x.py:Queue", "'../x.py:Queue' does not name a class"),
        ("contract_poor:Poor", "contract_poor:Poor lacks enqueue, heartbeat, complete, fail, block, recover, snapshot"),
        ("simulatoin", "no target 'simulatoin' (did you mean 'simulation'?; or write a class as package.module:Class)"),
    ],
)
def test_what_is_not_found_is_named(name: str, message: str, here: Path) -> None:
    with pytest.raises(UsageError) as caught:
        make_target(name)
    assert message in str(caught.value)


def test_a_package_offers_a_queue_by_an_entry_point(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints(
        [
            EntryPoint("fine", "contract_fine:Fine", locate.GROUP),
            EntryPoint("gone", "contract_nowhere:Queue", locate.GROUP),
        ]
    )
    monkeypatch.setattr(locate, "entry_points", points.select)
    assert make_target("fine").name == "fine"
    assert locate.find_class("fine") is MemoryQueue
    with pytest.raises(UsageError, match="target gone: no module 'contract_nowhere'"):
        make_target("gone")
    with pytest.raises(UsageError, match="did you mean 'fine'"):
        make_target("fin")
