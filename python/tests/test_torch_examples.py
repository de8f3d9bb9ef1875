"""The example programs: their data, their model, and short runs of each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import PROJECT, PYTHON, python_environment

EXAMPLES = PROJECT / "examples" / "python"
sys.path.insert(0, str(EXAMPLES))

import interactions  # noqa: E402
import sasrec  # noqa: E402

SEQUENCES = "u1 a b c d\nu2 b a c\n"
PAIRS = "u1 a\nu1 b\nu2 b\nu1 c\nu2 a\nu2 c\nu1 d\n"
CSV = (
    'rating,userId,"Item ID",timestamp\n'
    '1,u1,a,10\n1,u1,d,40\n1,u1,b,20\n"1",u1,c,30\n1,u2,b,5\n1,u2,c,7\n1,u2,a,6\n'
)
RECBOLE = (
    "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    "u1\ta\t1\t1e3\nu1\td\t1\t4e3\nu1\tb\t1\t2e3\nu1\tc\t1\t3e3\n"
    "u2\tb\t1\t5\nu2\tc\t1\t7\nu2\ta\t1\t6\n"
)


@pytest.mark.parametrize("text", [SEQUENCES, PAIRS, CSV, RECBOLE])
def test_all_four_formats_give_the_same_histories(tmp_path: Path, text: str) -> None:
    file = tmp_path / "data"
    file.write_text(text)
    data = interactions.load(file)
    assert data.item_count == 4 and len(data.histories) == 2
    # Items are numbered in order of appearance, from 1: compare up to their names.
    first, second = data.histories
    assert len(set(first)) == 4 and set(first) == {1, 2, 3, 4}
    assert second.tolist() == [first[1], first[0], first[2]]


def test_leave_one_out_holds_back_the_last_two(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("u1 a b c d\nu2 b a c\nu3 a b\nu4 c\n")
    split = interactions.load(file).split()
    assert [history.tolist() for history in split.training] == [[1, 2], [1, 2]]
    assert [h.tolist() for h in split.validation.histories] == [[1, 2], [2]]
    assert split.validation.targets.tolist() == [3, 1]
    assert [h.tolist() for h in split.test.histories] == [[1, 2, 3], [2, 1]]
    assert split.test.targets.tolist() == [4, 3]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("u1 a\nu1 b\nu1 c d\nu2 a\n", ":3: 3 fields"),
        ("u1 a b c\nu1 b c a\n", "u1 has a line already"),
        ("user,thing\nu1,a\n", "no column names the item"),
        ("user,item,time\nu1,a,noon\n", ":2: the timestamp 'noon'"),
        ("user,item\nu1,a,b\n", ":2: 3 fields where the header names 2"),
        ("user\titem\nu1\t\n", ":2: the user or the item is missing"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_line(
    tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "data"
    file.write_text(text)
    with pytest.raises(interactions.DataError, match=words):
        interactions.load(file)


@pytest.mark.parametrize("norm", ["pre", "published"])
def test_a_history_has_the_same_hidden_states_however_far_it_is_padded(
    norm: str,
) -> None:
    torch.manual_seed(0)
    model = sasrec.SASRec(50, width=16, max_length=12, norm=norm).eval()
    history = np.arange(1, 8, dtype=np.int32)
    alone = model(*sasrec.padded([history], 12))
    beside = model(*sasrec.padded([history, np.arange(1, 20)], 12))
    torch.testing.assert_close(beside[0, :7], alone[0], rtol=1e-5, atol=1e-6)
    changed = history.copy()
    changed[-1] = 40
    later = model(*sasrec.padded([changed], 12))
    torch.testing.assert_close(later[0, :6], alone[0, :6], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(later[0, 6], alone[0, 6])


def test_the_newest_items_are_kept() -> None:
    batch, lengths = sasrec.padded([np.arange(1, 8), np.arange(1, 3)], 3, pad_to=5)
    assert batch.tolist() == [[5, 6, 7, 0, 0], [1, 2, 0, 0, 0]]
    assert lengths.tolist() == [3, 2]


def run(program: str, *arguments: Any) -> str:
    done = subprocess.run(
        [PYTHON, EXAMPLES / program, *map(str, arguments)],
        env=python_environment(OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("norm", ["pre", "published"])
def test_sasrec_learns_and_exact_losses_agree(tmp_path: Path, norm: str) -> None:
    file = tmp_path / "data"
    # Every user walks along one circle of items: the next item is certain.
    file.write_text(
        "".join(
            f"u{u} " + " ".join(f"i{(u * 7 + k) % 60}" for k in range(9)) + "\n"
            for u in range(240)
        )
    )
    results = tmp_path / "results.json"
    table = run(
        "train_sasrec.py",
        *("--data", file, "--loss", "sce", "ce", "torch-ce", "--epochs", 12),
        *("--max-length", 10, "--batch", 16, "--width", 32, "--norm", norm),
        *("--learning-rate", 3e-3, "--pad", "batch", "--quiet", "--json", results),
        *("--plot", tmp_path / "curves.png"),
    )
    assert (tmp_path / "curves.png").stat().st_size > 5000
    found = {r["loss"]: r for r in json.loads(results.read_text())["results"]}
    assert all(name in table for name in found)
    for result in found.values():
        assert result["ndcg10"] > 0.6, result["loss"]
    assert abs(found["ce"]["ndcg10"] - found["torch-ce"]["ndcg10"]) < 0.05
    # The first epoch starts from the same weights and takes the same batches.
    first = [found[name]["curve"][0]["loss"] for name in ("ce", "torch-ce")]
    assert first[0] == pytest.approx(first[1], rel=1e-3)


def test_the_language_model_learns_with_a_wide_output_layer(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("one two three four five six seven eight nine ten .\n" * 300)
    results = tmp_path / "results.json"
    table = run(
        "train_language_model.py",
        *("--text", text, "--vocabulary", 20_000, "--width", 32, "--steps", 60),
        *("--learning-rate", 1e-2, "--batch", 8, "--quiet", "--json", results),
    )
    (result,) = json.loads(results.read_text())["results"]
    assert "sce" in table and result["hr10"] > 0.9, result["hr10"]


def test_the_tour_runs() -> None:
    assert "HR@1" in run("tour.py")
