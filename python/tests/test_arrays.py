"""Arrays are taken without copies, or refused with what was given and what is wanted."""

from __future__ import annotations

import array
import re
from typing import Any

import numpy as np
import pytest
import shortlist
from conftest import normal


class Problem:
    def __init__(self, rng: np.random.Generator) -> None:
        self.hidden, self.items = normal(rng, 40, 6), normal(rng, 90, 6)
        self.targets = rng.integers(0, 90, 40)

    def loss(self, **other: Any) -> float:
        given = {"hidden": self.hidden, "items": self.items, "targets": self.targets}
        return shortlist.cross_entropy(**{**given, **other}).loss


@pytest.fixture
def problem(rng: np.random.Generator) -> Problem:
    return Problem(rng)


class OnlyDLPack:
    """An array of another library, as far as DLPack shows it."""

    def __init__(self, inner: Any, device: tuple[int, int] = (1, 0)) -> None:
        self.inner, self.device = inner, device

    def __dlpack__(self, **options: Any) -> Any:
        return self.inner.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device


def test_dlpack_and_buffers_give_what_numpy_gives(problem: Problem) -> None:
    expected = problem.loss()
    assert problem.loss(hidden=OnlyDLPack(problem.hidden)) == expected
    assert problem.loss(items=memoryview(problem.items)) == expected
    assert problem.loss(targets=array.array("q", problem.targets.tolist())) == expected
    assert problem.loss(targets=problem.targets.astype(np.int32)) == expected


def test_rows_that_lie_apart_are_taken_as_they_are(
    problem: Problem, rng: np.random.Generator
) -> None:
    wide = normal(rng, 40, 11)
    wide[:, :6] = problem.hidden
    assert problem.loss(hidden=wide[:, :6]) == problem.loss()
    assert (
        problem.loss(hidden=np.repeat(problem.hidden, 2, axis=0)[::2]) == problem.loss()
    )


def test_inputs_and_outputs_are_not_copied(problem: Problem) -> None:
    room = np.full((40, 9), 7, dtype=np.float32)
    catalog = np.ones((90, 6), dtype=np.float32)
    result = shortlist.cross_entropy(
        problem.hidden,
        problem.items,
        problem.targets,
        gradients=("hidden", "catalog"),
        out={"hidden": room[:, 1:7], "catalog": catalog},
        accumulate=True,
    )
    plain = shortlist.cross_entropy(
        problem.hidden,
        problem.items,
        problem.targets,
        gradients=("hidden", "catalog"),
    )
    assert np.shares_memory(result.gradients.hidden, room)
    assert np.array_equal(room[:, 1:7], plain.gradients.hidden)
    assert np.all(room[:, [0, 7, 8]] == 7)
    np.testing.assert_allclose(catalog - 1, plain.gradients.catalog, atol=1e-6)


def refused(kind: type[Exception], *words: str) -> Any:
    return pytest.raises(kind, match=".*".join(map(re.escape, words)))


@pytest.mark.parametrize(
    ("name", "change", "kind", "words"),
    [
        ("hidden", lambda a: a.astype(np.float64), TypeError, ["float64", "float32"]),
        ("items", lambda a: a.astype(">f4"), TypeError, [">f4", "float32"]),
        (
            "targets",
            lambda a: a.astype(np.uint8),
            TypeError,
            ["uint8", "int32 or int64"],
        ),
        ("targets", lambda a: a.tolist(), TypeError, ["list", "array"]),
        ("hidden", lambda a: None, TypeError, ["NoneType", "array"]),
        ("hidden", lambda a: a[0], ValueError, ["(6,)", "(rows, columns)"]),
        ("items", lambda a: a[:, :5].copy(), ValueError, ["(90, 5)", "(rows, 6)"]),
        ("targets", lambda a: a[:-1], ValueError, ["(39,)", "(40,)"]),
        ("targets", lambda a: a[:, None], ValueError, ["(40, 1)", "(40,)"]),
        (
            "hidden",
            lambda a: np.asfortranarray(a),
            ValueError,
            ["strides", "contiguous"],
        ),
        ("items", lambda a: a[::-1], ValueError, ["strides", "contiguous"]),
        (
            "targets",
            lambda a: np.repeat(a, 2)[::2],
            ValueError,
            ["strides", "contiguous"],
        ),
        ("hidden", np.ma.masked_array, TypeError, ["masked"]),
        ("hidden", lambda a: OnlyDLPack(a, (2, 0)), TypeError, ["CUDA", "host memory"]),
        (
            "items",
            lambda a: OnlyDLPack(a, (7, 0)),
            TypeError,
            ["Vulkan", "host memory"],
        ),
    ],
)
def test_a_wrong_array_is_refused_by_name_with_what_was_given_and_what_is_wanted(
    problem: Problem, name: str, change: Any, kind: type[Exception], words: list[str]
) -> None:
    with refused(kind, name, *words):
        problem.loss(**{name: change(getattr(problem, name))})


def test_an_array_that_is_not_aligned_is_refused(problem: Problem) -> None:
    raw = np.zeros(40 * 6 * 4 + 1, dtype=np.uint8)
    with refused(ValueError, "hidden", "aligned"):
        problem.loss(hidden=raw[1:].view(np.float32).reshape(40, 6))


@pytest.mark.parametrize(
    ("keywords", "kind", "words"),
    [
        ({"item_bias": np.zeros(89, np.float32)}, ValueError, ["item_bias", "(90,)"]),
        ({"weights": np.zeros((40, 1), np.float32)}, ValueError, ["weights", "(40,)"]),
        ({"weights": np.ones(40)}, TypeError, ["weights", "float64"]),
        ({"reduction": "median"}, ValueError, ["median", "'mean', 'sum', 'none'"]),
        ({"gradients": "hidden"}, TypeError, ["gradients", "tuple"]),
        ({"gradients": ("weights",)}, ValueError, ["weights", "hidden"]),
        ({"gradients": ("catalog", "catalog_rows")}, ValueError, ["one of them"]),
        ({"upstream": 2.0}, ValueError, ["upstream", "none were asked"]),
        (
            {"upstream": np.ones(40, np.float32), "gradients": ("hidden",)},
            ValueError,
            ["upstream", "'mean'", "one number"],
        ),
        (
            {"upstream": 2.0, "gradients": ("hidden",), "reduction": "none"},
            ValueError,
            ["upstream", "array of 40"],
        ),
        (
            {"out": {"hidden": np.ones((40, 6), np.float32)}},
            ValueError,
            ["does not write"],
        ),
        ({"denominator": 0.0}, ValueError, ["denominator", "above 0"]),
        ({"excluded_items": [1.5]}, TypeError, ["excluded_items", "whole numbers"]),
        ({"excluded_items": [2**40]}, OverflowError, ["excluded_items"]),
        ({"excluded_items": np.array([1])}, TypeError, ["excluded_items", "int64"]),
        ({"temperature": 2.0}, TypeError, ["temperature"]),
        ({"row_capacity": 5}, ValueError, ["row_capacity", "catalog_rows"]),
        (
            {"upstream": 2.0, "keep_state": True},
            ValueError,
            ["upstream", "none were asked"],
        ),
        ({"accumulate": True, "keep_state": True}, ValueError, ["accumulate"]),
        ({"ignore_index": 2**63}, OverflowError, ["ignore_index"]),
        ({"threads": 2**32}, OverflowError, ["threads"]),
        ({"threads": 1.5}, TypeError, ["threads", "1.5"]),
        ({"threads": -1}, shortlist.InvalidArgumentError, ["threads"]),
        ({"device": 77, "backend": "cpu"}, shortlist.ShortlistError, ["77"]),
    ],
)
def test_a_wrong_option_is_refused_by_name(
    problem: Problem, keywords: dict[str, Any], kind: type[Exception], words: list[str]
) -> None:
    with refused(kind, *words):
        problem.loss(**keywords)


@pytest.mark.parametrize(
    ("loss", "options", "kind", "words"),
    [
        ("sce", {"bucket_count": 2**64}, OverflowError, ["bucket_count"]),
        ("sce", {"seed": -1}, ValueError, ["seed", "0 or more"]),
        ("sce", {"step": 2**60}, shortlist.InvalidArgumentError, ["step"]),
        ("sce", {"combination": "mean"}, ValueError, ["combination", "'max', 'union'"]),
        (
            "sce",
            {"directions": "given"},
            shortlist.InvalidArgumentError,
            ["directions"],
        ),
        (
            "sce",
            {"given_directions": np.ones((3, 6), np.float32)},
            shortlist.InvalidArgumentError,
            ["directions"],
        ),
        ("rece", {"rounds": -1}, shortlist.InvalidArgumentError, ["round"]),
        ("rece", {"directions": "mix"}, shortlist.ShortlistError, ["directions"]),
    ],
)
def test_a_wrong_parameter_of_a_loss_is_refused_by_name(
    problem: Problem,
    loss: str,
    options: dict[str, Any],
    kind: type[Exception],
    words: list[str],
) -> None:
    with refused(kind, *words):
        getattr(shortlist, loss)(
            problem.hidden, problem.items, problem.targets, **options
        )


def test_read_only_room_is_refused(problem: Problem) -> None:
    room = np.ones((40, 6), dtype=np.float32)
    room.flags.writeable = False
    with refused(ValueError, "out['hidden']", "read-only"):
        problem.loss(gradients=("hidden",), out={"hidden": room})


def test_offsets_that_point_outside_are_refused_before_the_library_reads(
    problem: Problem,
) -> None:
    lists = shortlist.ItemLists.of([[1], [2, 3]])
    broken = lists._replace(offsets=np.array([0, 1, 99]))
    with refused(ValueError, "seen.offsets", "99"):
        shortlist.top_k(problem.hidden[:2], problem.items, 3, seen=broken)
    with refused(ValueError, "3 lists", "wanted 2"):
        shortlist.top_k(problem.hidden[:2], problem.items, 3, seen=[[], [], []])
    selection = shortlist.Selection.of([([0, 1], [2, 3])])
    broken_selection = selection._replace(token_offsets=np.array([0, 3]))
    with refused(ValueError, "token_offsets", "3"):
        shortlist.given_candidates(
            problem.hidden, problem.items, problem.targets, broken_selection
        )
