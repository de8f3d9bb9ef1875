"""Statuses become exceptions of their own class."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import shortlist
from conftest import normal
from shortlist import _errors, _library
from shortlist._loader import C


def test_every_status_has_a_class_of_its_own_and_the_librarys_name() -> None:
    classes = _errors.CLASS_OF_STATUS
    assert set(classes) == set(_library.STATUS.values())
    assert len(set(classes.values())) == len(classes)
    for status, kind in classes.items():
        assert C.shortlist_status_name(status).decode() == kind.status_name
        assert issubclass(kind, shortlist.ShortlistError)
        assert getattr(shortlist, kind.__name__) is kind


def test_an_unknown_status_is_a_plain_shortlist_error() -> None:
    error = _errors.make_error(-55, "SHORTLIST_UNKNOWN_STATUS", "something", 0)
    assert type(error) is shortlist.ShortlistError and error.status == -55


def test_an_error_survives_a_worker_process() -> None:
    error = _errors.make_error(-6, "SHORTLIST_WORKSPACE_LIMIT", "too little", 123)
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, shortlist.WorkspaceLimitError)
    assert (again.status, again.need, str(again)) == (-6, 123, "too little")


def test_a_target_out_of_range_is_an_index_error_that_names_it(
    rng: np.random.Generator,
) -> None:
    x, y = normal(rng, 5, 3), normal(rng, 7, 3)
    targets = np.array([0, 1, 7, 2, 3])
    with pytest.raises(shortlist.TargetOutOfRangeError, match="7") as caught:
        shortlist.cross_entropy(x, y, targets)
    assert isinstance(caught.value, IndexError)
    assert caught.value.status_name == "SHORTLIST_TARGET_OUT_OF_RANGE"


def test_the_need_of_a_workspace_limit_is_what_works_and_one_byte_less_does_not(
    rng: np.random.Generator,
) -> None:
    x, y = normal(rng, 300, 16), normal(rng, 2000, 16)
    targets = rng.integers(0, 2000, 300)

    def run(limit: int) -> None:
        shortlist.cross_entropy(
            x, y, targets, gradients=("hidden",), workspace_limit=limit
        )

    with pytest.raises(MemoryError) as caught:
        run(1)
    assert isinstance(caught.value, shortlist.WorkspaceLimitError)
    need = caught.value.need
    run(need)
    with pytest.raises(shortlist.WorkspaceLimitError) as again:
        run(need - 1)
    assert again.value.need == need


def test_too_little_room_names_the_rows_needed_and_that_many_suffice(
    rng: np.random.Generator,
) -> None:
    x, y = normal(rng, 30, 8), normal(rng, 500, 8)
    targets = rng.integers(0, 500, 30)
    options = {"gradients": ("catalog_rows",), "items_per_bucket": 20}
    with pytest.raises(shortlist.RoomTooSmallError) as caught:
        shortlist.sce(x, y, targets, row_capacity=1, **options)
    rows = shortlist.sce(
        x, y, targets, row_capacity=caught.value.need, **options
    ).gradients.catalog_rows
    assert rows is not None and len(rows.ids) == caught.value.need


def test_an_unknown_backend_is_an_error_and_never_replaced(
    rng: np.random.Generator,
) -> None:
    x = normal(rng, 3, 3)
    with pytest.raises(shortlist.UnknownBackendError, match="abacus"):
        shortlist.top_k(x, x, 1, backend="abacus")
    assert [device.backend for device in shortlist.backends()].count("cpu") == 1


def test_an_error_leaves_what_was_in_out_as_it_was(rng: np.random.Generator) -> None:
    x, y = normal(rng, 5, 3), normal(rng, 7, 3)
    room = np.full((5, 3), 4, dtype=np.float32)
    with pytest.raises(shortlist.OverlappingMemoryError):
        shortlist.cross_entropy(
            x, y, np.zeros(5, np.int64), gradients=("hidden",), out={"hidden": x}
        )
    with pytest.raises(shortlist.InvalidWeightError):
        shortlist.cross_entropy(
            x,
            y,
            np.zeros(5, np.int64),
            scale=-1.0,
            gradients=("hidden",),
            out={"hidden": room},
        )
    assert np.all(room == 4)
