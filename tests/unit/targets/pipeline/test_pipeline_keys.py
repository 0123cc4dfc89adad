"""Keys of records as numbers, whatever they are."""

import numpy as np
import pytest

from soak.runner.targets.pipeline import keys as module
from soak.runner.targets.pipeline.keys import UNKNOWN, KeyNumbers


def test_keys_that_count_up_are_numbered_from_the_first() -> None:
    keys = KeyNumbers()
    assert keys.add(np.arange(100, 103)).tolist() == [0, 1, 2]
    assert keys.add(np.arange(103, 105)).tolist() == [3, 4]
    assert keys.find(np.array([104, 100, 99, 105])).tolist() == [4, 0, UNKNOWN, UNKNOWN]
    assert keys.count == 5


def test_keys_with_gaps_keep_the_numbers_that_they_had() -> None:
    keys = KeyNumbers()
    keys.add(np.arange(5))
    assert keys.add(np.array([9, 2, 10**15, 9])).tolist() == [5, 2, 6, 5]
    assert keys.find(np.array([0, 4, 9, 10**15, 5])).tolist() == [0, 4, 5, 6, UNKNOWN]
    assert keys.count == 7


def test_texts_are_numbered_in_their_order() -> None:
    keys = KeyNumbers()
    many = [f"key-{number}" for number in range(3000)]
    assert keys.add(many[:10]).tolist() == list(range(10))
    assert keys.add(many).tolist() == list(range(3000))
    assert keys.find(["key-2999", "other", "key-0"]).tolist() == [2999, UNKNOWN, 0]


def test_texts_of_the_same_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_hashes_of", lambda keys: np.zeros(len(keys), dtype=np.uint64))
    keys = KeyNumbers()
    assert keys.add(["a", "b", "a"]).tolist() == [0, 1, 0]
    assert keys.add(["c", "b"]).tolist() == [2, 1]
    assert keys.find(["a", "b", "c", "d"]).tolist() == [0, 1, 2, UNKNOWN]


def test_nothing_is_known_at_first() -> None:
    assert KeyNumbers().find(np.array([0, 1])).tolist() == [UNKNOWN, UNKNOWN]
    assert KeyNumbers().find(["a"]).tolist() == [UNKNOWN]
