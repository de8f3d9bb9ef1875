"""Who chose what: histories from a file in any of four formats, split leave-one-out.

The formats, told apart by what is in the file:

- lines of ``user item item item …``, one user each, items in time order;
- lines of ``user item``, one interaction each, in time order within a user;
- CSV whose header names a user, an item and, if there is one, a timestamp column;
- tab-separated with such a header, as RecBole's ``.inter`` files have it.

Ids are any text. Items are numbered from 1: row 0 of an embedding is padding.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

History = NDArray[np.int32]

_USER = ["userid", "user", "uid", "username", "reviewerid", "customerid", "visitorid"]
_ITEM = ["itemid", "item", "iid", "movieid", "productid", "asin", "parentasin"]
_ITEM += ["bookid", "articleid", "trackid"]
_TIME = ["timestamp", "time", "ts", "unixtime", "unixreviewtime"]
_TYPES = (":token", ":float", ":token_seq", ":float_seq")


class DataError(Exception):
    """A file that cannot be read as interactions: names the file, the line, the reason."""


@dataclass
class Interactions:
    """Histories of all users, oldest item first; items are numbered from 1."""

    histories: list[History]
    item_count: int

    def split(self) -> LeaveOneOut:
        """The last item of a history is the test, the one before it validates.

        Users with fewer than three interactions are trained on alone.
        """
        training, tested = [], []
        for history in self.histories:
            if len(history) < 3:
                training.append(history)
            else:
                training.append(history[:-2])
                tested.append(history)
        training = [history for history in training if len(history) > 1]
        if not training or not tested:
            raise DataError(
                "too little data: it takes a user with four interactions, two to train "
                "on, one to validate and one to test with"
            )
        return LeaveOneOut(
            training,
            Queries([h[:-2] for h in tested], np.array([h[-2] for h in tested])),
            Queries([h[:-1] for h in tested], np.array([h[-1] for h in tested])),
        )


@dataclass
class Queries:
    """What is known of each user, and the item that comes next."""

    histories: list[History]
    targets: NDArray[np.int32]


@dataclass
class LeaveOneOut:
    training: list[History]
    validation: Queries
    test: Queries


class _Builder:
    """Numbers ids in order of appearance and gathers histories."""

    def __init__(self) -> None:
        self.items: dict[str, int] = {}
        self.histories: dict[str, list[int]] = {}
        self.times: dict[str, list[float]] = {}

    def append(self, user: str, item: str, time: float | None = None) -> None:
        number = self.items.setdefault(item, len(self.items) + 1)
        self.histories.setdefault(user, []).append(number)
        if time is not None:
            self.times.setdefault(user, []).append(time)

    def interactions(self) -> Interactions:
        histories = []
        for user, history in self.histories.items():
            found = np.array(history, dtype=np.int32)
            if user in self.times:
                # Interactions of the same time stay in the order of the file.
                found = found[np.argsort(np.array(self.times[user]), kind="stable")]
            histories.append(found)
        return Interactions(histories, len(self.items))


def load(path: str | Path) -> Interactions:
    """Reads a file in any of the formats; `DataError` names the line that is wrong."""
    path = Path(path)
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = [(n, line.strip("\r\n")) for n, line in enumerate(file, 1)]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}") from error
    lines = [(number, line) for number, line in lines if line.strip()]
    if not lines:
        raise DataError(f"{path}: the file is empty")
    first = lines[0][1]
    if "\t" in first and _is_header(first.split("\t")):
        return _table(path, first.split("\t"), _split(path, lines[1:], "\t"))
    if "," in first:
        return _table(path, next(csv.reader([first])), _split(path, lines[1:], ","))
    return _plain(path, lines)


def _plain(path: Path, lines: list[tuple[int, str]]) -> Interactions:
    rows = [(number, line.split()) for number, line in lines]
    users = {words[0] for _, words in rows}
    pairs = sum(len(words) == 2 for _, words in rows)
    builder = _Builder()
    # Two fields alone could be either: users that come back make it pairs.
    if len(users) < len(rows) and 2 * pairs > len(rows):
        for number, words in rows:
            if len(words) != 2:
                raise DataError(
                    f"{path}:{number}: {len(words)} fields where every line should be a "
                    "user and an item"
                )
            builder.append(*words)
        return builder.interactions()
    for number, (user, *items) in rows:
        if not items:
            raise DataError(f"{path}:{number}: user {user} has no items")
        if user in builder.histories:
            raise DataError(f"{path}:{number}: user {user} has a line already")
        for item in items:
            builder.append(user, item)
    return builder.interactions()


def _split(
    path: Path, lines: Iterable[tuple[int, str]], delimiter: str
) -> Iterator[tuple[int, list[str]]]:
    for number, line in lines:
        if delimiter == "\t":
            yield number, line.split("\t")
        else:
            yield number, next(csv.reader([line]))


def _table(
    path: Path, header: list[str], rows: Iterator[tuple[int, list[str]]]
) -> Interactions:
    user, item = (
        _place(path, header, _USER, "user"),
        _place(path, header, _ITEM, "item"),
    )
    time = _place(path, header, _TIME, None)
    assert user is not None and item is not None
    builder = _Builder()
    for number, fields in rows:
        if len(fields) != len(header):
            raise DataError(
                f"{path}:{number}: {len(fields)} fields where the header names {len(header)}"
            )
        if not fields[user] or not fields[item]:
            raise DataError(f"{path}:{number}: the user or the item is missing")
        when = None
        if time is not None:
            try:
                when = float(fields[time])
            except ValueError:
                raise DataError(
                    f"{path}:{number}: the timestamp {fields[time]!r} is not a number"
                ) from None
        builder.append(fields[user], fields[item], when)
    if not builder.items:
        raise DataError(f"{path}: no interactions in it")
    return builder.interactions()


def _bare(field: str) -> str:
    """``User_ID:token`` as ``userid``."""
    return "".join(c for c in field.split(":")[0].lower() if c.isalnum())


def _is_header(fields: list[str]) -> bool:
    typed = any(field.endswith(_TYPES) for field in fields)
    return typed or any(_bare(field) in _USER + _ITEM for field in fields)


def _place(
    path: Path, header: list[str], known: list[str], what: str | None
) -> int | None:
    names = [_bare(field) for field in header]
    for name in known:
        if name in names:
            return names.index(name)
    if what is None:
        return None
    raise DataError(
        f"{path}:1: no column names the {what} (looked for {', '.join(known)}) among: "
        f"{', '.join(header)}"
    )


def invented(users: int, items: int, seed: int) -> Interactions:
    """Data to try the program with: items follow their favourite followers, or a user's
    topic, or are just popular."""
    draw = random.Random(seed)
    popularity = [1 / (rank + 50) for rank in range(items)]
    topics = max(1, items // 60)
    followers = [draw.choices(range(items), popularity, k=3) for _ in range(items)]
    histories = []
    for _ in range(users):
        topic = draw.randrange(topics)
        item = draw.choices(range(items), popularity)[0]
        history = [item]
        for _ in range(draw.randint(4, 20)):
            kind = draw.random()
            if kind < 0.5:
                item = draw.choice(followers[item])
            elif kind < 0.85:
                item = (topic + topics * draw.randrange(60)) % items
            else:
                item = draw.choices(range(items), popularity)[0]
            history.append(item)
        histories.append(np.array(history, dtype=np.int32) + 1)
    return Interactions(histories, items)
