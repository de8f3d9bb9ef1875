"""Selections, rankings and draws, where they must be exact.

On small whole numbers every product and sum in float32 is exact, so that NumPy selects by
itself and the two must agree, ties included.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shortlist
from numpy.typing import NDArray

Array = NDArray[np.float64]


def whole_numbers(
    rng: np.random.Generator, rows: int, width: int
) -> NDArray[np.float32]:
    return rng.integers(-2, 3, size=(rows, width)).astype(np.float32)


def best(scores: Array, count: int) -> NDArray[np.int64]:
    """Places of the largest scores; ties go to the lower place."""
    return np.sort(np.lexsort((np.arange(scores.size), -scores))[:count])


@pytest.mark.parametrize(("items", "width"), [(40, 3), (1500, 4)])
def test_sce_selects_what_numpy_selects(
    rng: np.random.Generator, items: int, width: int
) -> None:
    x, y = whole_numbers(rng, 150, width), whole_numbers(rng, items, width)
    directions = whole_numbers(rng, 7, width)
    targets = rng.integers(8, items, size=150).astype(np.int32)
    targets[::10] = -100
    excluded = [0, 5]
    valid = np.flatnonzero(targets != -100)
    free = np.setdiff1d(np.arange(items), excluded)
    result = shortlist.sce(
        x,
        y,
        targets,
        tokens_per_bucket=20,
        items_per_bucket=30,
        directions="given",
        given_directions=directions,
        excluded_items=excluded,
        ignore_index=-100,
        keep_state=True,
    )
    assert result.state is not None
    blocks = result.state.selection().blocks()
    assert len(blocks) == 7
    for (tokens, chosen), direction in zip(blocks, directions.astype(np.float64)):
        assert np.array_equal(np.sort(tokens), valid[best(x[valid] @ direction, 20)])
        assert np.array_equal(np.sort(chosen), free[best(y[free] @ direction, 30)])


def test_rece_selects_what_numpy_selects(rng: np.random.Generator) -> None:
    rounds, buckets, chunks, neighbours = 3, 6, 9, 1
    x, y = whole_numbers(rng, 130, 4), whole_numbers(rng, 333, 4)
    directions = whole_numbers(rng, rounds * buckets, 4)
    targets = rng.integers(8, 333, size=130).astype(np.int32)
    targets[::7] = -100
    valid = np.flatnonzero(targets != -100)
    free = np.setdiff1d(np.arange(333), [3, 4])
    result = shortlist.rece(
        x,
        y,
        targets,
        bucket_count=buckets,
        chunk_count=chunks,
        neighbour_chunks=neighbours,
        rounds=rounds,
        directions="given",
        given_directions=directions,
        excluded_items=np.array([3, 4, 4], dtype=np.int32),
        ignore_index=-100,
        keep_state=True,
    )
    assert result.state is not None
    blocks = result.state.selection().blocks()

    def cut(rows: NDArray[Any], which: NDArray[np.int64], r: Array) -> list[Any]:
        """Chunks of `which`, ordered by hash and then by number."""
        key = np.argmax(rows[which] @ r.T, axis=1)
        order = which[np.argsort(key, kind="stable")]
        ends = [c * order.size // chunks for c in range(chunks + 1)]
        return [order[a:b] for a, b in zip(ends, ends[1:])]

    for number in range(rounds):
        r = directions[number * buckets : (number + 1) * buckets].astype(np.float64)
        token_chunks, item_chunks = cut(x, valid, r), cut(y, free, r)
        for c in range(chunks):
            tokens, items = blocks[number * chunks + c]
            near = item_chunks[max(0, c - neighbours) : c + neighbours + 1]
            assert set(tokens) == set(token_chunks[c])
            assert np.array_equal(np.sort(items), np.sort(np.concatenate(near)))


@pytest.mark.parametrize("form", ["lists", "arrays", "item lists"])
def test_top_k_and_ranks_are_those_of_a_full_sort(
    rng: np.random.Generator, form: str
) -> None:
    queries, items = whole_numbers(rng, 60, 5), whole_numbers(rng, 900, 5)
    bias = rng.integers(-1, 2, size=900).astype(np.float32)
    targets = rng.integers(10, 900, size=60).astype(np.int64)
    seen = [rng.integers(0, 900, size=n).tolist() for n in rng.integers(0, 30, size=60)]
    for row, target in zip(seen, targets):
        row.append(int(target))  # the target itself always takes part in ranks
    given: Any = seen
    if form == "arrays":
        given = [np.array(row, dtype=np.int32) for row in seen]
    elif form == "item lists":
        given = shortlist.ItemLists.of(seen)
    excluded = [2, 9]
    options: dict[str, Any] = {
        "item_bias": bias,
        "seen": given,
        "excluded_items": excluded,
    }
    scores = queries.astype(np.float64) @ items.T.astype(np.float64) + bias
    k = 890
    ids, values, _ = shortlist.top_k(queries, items, k, **options)
    ranks = shortlist.target_ranks(queries, items, targets, **options).ranks
    for q in range(60):
        gone = np.zeros(900, dtype=bool)
        gone[seen[q]] = gone[excluded] = True
        order = np.lexsort((np.arange(900), -scores[q]))
        kept = order[~gone[order]][:k]
        assert np.array_equal(ids[q, : kept.size], kept)
        assert np.all(values[q, : kept.size] == scores[q, kept])
        assert np.all(ids[q, kept.size :] == -1)
        gone[targets[q]] = False
        assert ranks[q] == 1 + int(np.flatnonzero(order[~gone[order]] == targets[q])[0])


def philox(counter: NDArray[np.uint32], key: tuple[int, int]) -> NDArray[np.uint32]:
    """Philox 4x32-10 on rows of four words."""
    c = [counter[:, i].astype(np.uint64) for i in range(4)]
    k0, k1 = key
    word, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [
            (p1 >> half) ^ c[1] ^ np.uint64(k0),
            p1 & word,
            (p0 >> half) ^ c[3] ^ np.uint64(k1),
            p0 & word,
        ]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, axis=1).astype(np.uint32)


def test_draws_are_box_muller_on_philox() -> None:
    rows, columns, first = 6, 11, 4
    seed, step = 0x1234_5678_9ABC_DEF0, 0x00AB_CDEF_0123_4567
    actual = shortlist.philox_normal(
        rows, columns, seed=seed, step=step, first_row=first
    )
    blocks = -(-columns // 4)
    counter = np.zeros((rows * blocks, 4), dtype=np.uint32)
    counter[:, 0] = np.tile(np.arange(blocks), rows)
    counter[:, 1] = np.repeat(np.arange(first, first + rows), blocks)
    counter[:, 2] = step & 0xFFFFFFFF
    counter[:, 3] = step >> 32
    words = philox(counter, (seed & 0xFFFFFFFF, seed >> 32))
    unit = (words.astype(np.float64) + 0.5) * 2.0**-32
    radius = np.sqrt(-2 * np.log(unit[:, [0, 0, 2, 2]]))
    angle = 2 * np.pi * unit[:, [1, 1, 3, 3]]
    normal = radius * np.where([True, False, True, False], np.cos(angle), np.sin(angle))
    normal = normal.reshape(rows, blocks * 4)[:, :columns]
    np.testing.assert_allclose(actual, normal, rtol=1e-6, atol=1e-9)


def test_gaussian_directions_are_the_draws_of_seed_and_step(
    rng: np.random.Generator,
) -> None:
    x = rng.normal(size=(90, 6)).astype(np.float32)
    y = rng.normal(size=(400, 6)).astype(np.float32)
    targets = rng.integers(0, 400, size=90)
    draws = shortlist.philox_normal(9, 6, seed=5, step=2)
    sizes = {"tokens_per_bucket": 20, "items_per_bucket": 30, "keep_state": True}
    own = shortlist.sce(
        x, y, targets, directions="gaussian", bucket_count=9, seed=5, step=2, **sizes
    )
    given = shortlist.sce(
        x, y, targets, directions="given", given_directions=draws, **sizes
    )
    assert own.state is not None and given.state is not None
    for a, b in zip(own.state.selection()[:4], given.state.selection()[:4]):
        assert np.array_equal(a, b)
