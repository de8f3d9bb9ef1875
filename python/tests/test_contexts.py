"""Threads, forks, interruption and what is released when."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import numpy as np
import pytest
import shortlist
from conftest import PYTHON, in_child, normal, python_environment
from shortlist._context import current_context


class Problem:
    def __init__(self, rng: np.random.Generator, tokens: int, items: int) -> None:
        self.x, self.y = normal(rng, tokens, 16), normal(rng, items, 16)
        self.t = rng.integers(0, items, tokens)

    def loss(self, **options: Any) -> shortlist.LossResult:
        return shortlist.cross_entropy(
            self.x, self.y, self.t, gradients=("hidden", "catalog"), **options
        )


def test_results_have_the_same_bits_for_any_number_of_threads(
    rng: np.random.Generator,
) -> None:
    problem = Problem(rng, 700, 3000)
    one, three = problem.loss(threads=1), problem.loss(threads=3)
    assert (one.report.threads, three.report.threads) == (1, 3)
    assert one.loss == three.loss
    assert np.array_equal(one.gradients.hidden, three.gradients.hidden)
    assert np.array_equal(one.gradients.catalog, three.gradients.catalog)


def test_threads_of_python_work_at_the_same_time_on_contexts_of_their_own(
    rng: np.random.Generator,
) -> None:
    problem = Problem(rng, 200, 900)
    expected = problem.loss().loss
    with ThreadPoolExecutor(4) as pool:
        losses = list(pool.map(lambda _: problem.loss(threads=1).loss, range(60)))
    assert losses == [expected] * 60


def test_the_gil_is_released_during_work(rng: np.random.Generator) -> None:
    problem = Problem(rng, 3000, 60_000)
    problem.loss(threads=1)
    span: list[float] = []

    def work() -> None:
        begin = time.perf_counter()
        problem.loss(threads=1)
        span.extend((begin, time.perf_counter()))

    ticks = []
    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        ticks.append(time.perf_counter())
        time.sleep(0.001)
    thread.join()
    begin, end = span
    during = [tick for tick in ticks if begin < tick < end]
    assert end - begin > 0.05, "too short to see anything"
    gaps = np.diff([begin, *during, end])
    assert gaps.max() < (end - begin) / 2, (
        "this thread stood still while the other worked"
    )


def test_a_catalog_shared_by_threads_serves_them_in_turn(
    rng: np.random.Generator,
) -> None:
    problem = Problem(rng, 100, 500)
    catalog = shortlist.Catalog(problem.y, threads=1)
    expected = problem.loss().loss

    def loss(_: int) -> float:
        return shortlist.cross_entropy(problem.x, catalog, problem.t).loss

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(loss, range(60))) == [expected] * 60


def test_a_call_costs_the_same_after_ten_thousand_calls(
    rng: np.random.Generator,
) -> None:
    problem = Problem(rng, 1, 2)
    seconds = []
    for _ in range(10_000):
        begin = time.perf_counter()
        problem.loss(threads=1)
        seconds.append(time.perf_counter() - begin)
    first, last = median(seconds[100:600]), median(seconds[-500:])
    assert last < 3 * first, f"{first * 1e6:.0f} us became {last * 1e6:.0f} us"


INTERRUPTED = """
import numpy as np, shortlist, signal
# Started in the background by a shell, a process ignores Control-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
x = np.ones((20000, 64), dtype=np.float32)
y = np.ones((400000, 64), dtype=np.float32)
t = np.zeros(20000, dtype=np.int64)
print("ready", flush=True)
try:
    shortlist.cross_entropy(x, y, t, gradients=("hidden", "catalog"))
except KeyboardInterrupt:
    print("interrupted", flush=True)
small = shortlist.cross_entropy(x[:10], y[:10], t[:10])
print(small.report.tokens_counted)
"""


def test_control_c_ends_a_long_call_and_the_context_works_on() -> None:
    process = subprocess.Popen(
        [PYTHON, "-c", INTERRUPTED],
        env=python_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    assert process.poll() is None, "the call is too short to interrupt"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out == "interrupted\n10\n" and err == ""


def test_an_exception_of_a_signal_handler_comes_out_of_the_call(
    rng: np.random.Generator,
) -> None:
    class Stop(Exception):
        pass

    def handler(number: int, frame: Any) -> None:
        raise Stop

    problem = Problem(rng, 20_000, 100_000)
    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(Stop):
            problem.loss()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert np.isfinite(Problem(rng, 10, 20).loss().loss)


def test_a_signal_handler_that_calls_the_library_gets_busy_and_no_deadlock(
    rng: np.random.Generator,
) -> None:
    problem, small = Problem(rng, 12_000, 100_000), Problem(rng, 10, 20)
    caught: list[BaseException] = []

    def handler(number: int, frame: Any) -> None:
        try:
            small.loss()
        except shortlist.BusyError as error:
            caught.append(error)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        problem.loss()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(caught) == 1


def test_a_forked_child_makes_a_context_of_its_own_and_gets_the_same_bits(
    rng: np.random.Generator,
) -> None:
    problem = Problem(rng, 300, 900)
    expected = problem.loss().loss
    assert in_child(lambda: problem.loss().loss.hex()) == expected.hex()
    assert problem.loss().loss == expected, "the parent works on"


def test_a_catalog_or_state_of_the_parent_is_forked_in_the_child(
    rng: np.random.Generator,
) -> None:
    problem = Problem(rng, 30, 90)
    catalog = shortlist.Catalog(problem.y)
    state = problem.loss(keep_state=True).state
    assert state is not None
    assert in_child(lambda: str(catalog.update())) == "ForkedError"
    assert in_child(lambda: str(state.backward(("hidden",)))) == "ForkedError"
    catalog.update()
    state.backward(("hidden",))


def test_a_fork_while_another_thread_computes_is_an_error_in_the_child_or_works(
    rng: np.random.Generator,
) -> None:
    problem, small = Problem(rng, 6000, 60_000), Problem(rng, 10, 20)
    started = threading.Event()

    def work() -> None:
        started.set()
        problem.loss(threads=1)

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    time.sleep(0.1)
    assert thread.is_alive(), "too short to fork during it"
    answer = in_child(lambda: small.loss().loss.hex())
    thread.join()
    assert answer == "ForkedError"


def test_a_state_keeps_its_arrays_alive_and_lets_go_when_released(
    rng: np.random.Generator,
) -> None:
    problem = Problem(rng, 300, 900)
    expected = problem.loss().gradients.hidden
    state = shortlist.cross_entropy(
        problem.x.copy(), problem.y.copy(), problem.t.copy(), keep_state=True
    ).state
    assert state is not None
    gc.collect()
    np.empty((300, 16), dtype=np.float32).fill(np.nan)
    assert np.array_equal(state.backward(("hidden",)).gradients.hidden, expected)
    state.release()
    state.release()
    with pytest.raises(shortlist.InvalidHandleError, match="released"):
        state.backward(("hidden",))


def test_states_that_nobody_holds_are_released(rng: np.random.Generator) -> None:
    problem = Problem(rng, 50, 90)

    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    wide = Problem(rng, 2000, 40_000)
    for _ in range(3):
        shortlist.sce(wide.x, wide.y, wide.t, keep_state=True)
    before = resident()
    for _ in range(200):
        shortlist.sce(wide.x, wide.y, wide.t, keep_state=True)
    # A state of this size is some 400 kB; two hundred of them would be seen.
    assert resident() - before < 20e6
    assert problem.loss().loss > 0


def test_contexts_are_kept_and_the_oldest_are_let_go() -> None:
    first = current_context(1, "cpu", -1, 10**6)
    assert current_context(1, "cpu", -1, 10**6) is first
    for more in range(1, 8):
        current_context(1, "cpu", -1, 10**6 + more)
    assert current_context(1, "cpu", -1, 10**6) is not first
    assert len(os.listdir("/proc/self/task")) < 60


def test_a_thread_that_ends_takes_its_contexts_with_it(
    rng: np.random.Generator,
) -> None:
    problem = Problem(rng, 300, 900)
    problem.loss(threads=3)
    before = len(os.listdir("/proc/self/task"))
    for _ in range(20):
        thread = threading.Thread(target=lambda: problem.loss(threads=3))
        thread.start()
        thread.join()
    gc.collect()
    deadline = time.perf_counter() + 10
    while len(os.listdir("/proc/self/task")) > before:
        assert time.perf_counter() < deadline, "worker threads are left over"
        time.sleep(0.05)
