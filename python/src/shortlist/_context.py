"""Contexts: a backend, its threads and its workspace; one for each thread by default."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Generator
from ctypes import byref, c_int64, c_void_p
from typing import TYPE_CHECKING, Any

from . import _library as c
from ._errors import BusyError, ForkedError, InvalidHandleError
from ._loader import C, check
from ._results import Device, text

if TYPE_CHECKING:
    from typing_extensions import TypedDict

    class ContextChoice(TypedDict, total=False):
        """Where a call runs."""

        threads: int
        backend: str | None
        device: int
        workspace_limit: int


# How many contexts with different settings a thread keeps before it lets go of the one
# that it has not used for longest.
_KEPT = 4


class _Interruption:
    """Lets Control-C, and any exception of a signal handler, end a long call.

    The library asks now and then on the thread that called, which for the main thread is
    where Python runs signal handlers: as soon as it gets to run Python code. That code is a
    generator waiting inside a `try`, because a handler's exception comes before the first
    statement of a function, where the function itself could not catch it.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None
        answers = self._answers()
        next(answers)
        self.callback = c.StopCallback(answers.send)

    def _answers(self) -> Generator[int, Any, None]:
        while True:
            try:
                yield 0 if self.error is None else 1
            except GeneratorExit:
                return
            except BaseException as error:
                self.error = error


def _release_context(handle: int | None, process: int) -> None:
    # A child process owns neither the threads nor the workspace of its parent's context.
    if os.getpid() == process:
        C.shortlist_context_release(handle)


class Context:
    """A context of the library. Calls from several threads take turns.

    Not public: functions choose one by `threads`, `backend`, `device` and
    `workspace_limit`.
    """

    def __init__(
        self, threads: int, backend: str | None, device: int, workspace_limit: int
    ) -> None:
        # Python runs signal handlers on the main thread alone; elsewhere there is nothing
        # to ask for.
        main = threading.current_thread() is threading.main_thread()
        self.interruption = _Interruption() if main else None
        options = c.ContextOptions(
            threads=threads,
            backend=None if backend is None else backend.encode(),
            device=device,
            workspace_limit=workspace_limit,
        )
        if self.interruption is not None:
            options.should_stop = self.interruption.callback
        self.handle = c_void_p()
        check(C.shortlist_context_create(byref(self.handle), byref(options)))
        self.process = os.getpid()
        self.lock = threading.RLock()
        self.working = False
        self.discarded: list[tuple[Any, c_void_p, object]] = []
        # Bound to nothing of this object but the number, and not run at exit, where the
        # process gives everything back at once.
        self.release = weakref.finalize(
            self, _release_context, self.handle.value, self.process
        )
        self.release.atexit = False

    def call(self, function: Any, *arguments: Any) -> None:
        """Calls `function(*arguments)` with the context to itself, and checks its status."""
        if os.getpid() != self.process:
            # Before the lock, which another thread of the parent may have held for ever.
            raise _forked("a context, catalog or state made")
        try:
            with self.lock:
                self._call_alone(function, arguments)
        finally:
            # After the lock is free: who found it taken has left its handle by now.
            if self.discarded:
                self._release_discarded()

    def _call_alone(self, function: Any, arguments: tuple[Any, ...]) -> None:
        if self.working:
            raise _busy()
        self.working = True
        try:
            status = function(*arguments)
        finally:
            self.working = False
        interruption = self.interruption
        if interruption is not None and interruption.error is not None:
            # Also when the call came to its end all the same.
            error, interruption.error = interruption.error, None
            raise error
        if status != 0:
            check(status)

    def discard(self, release: Any, handle: c_void_p, memory: object) -> None:
        """Releases a handle made from this context, now or after the call that is under way.

        For finalizers, which may run at any time and on any thread. `memory` is what the
        handle looks at; it is kept until then.
        """
        if os.getpid() == self.process:
            self.discarded.append((release, handle, memory))
            self._release_discarded()

    def _release_discarded(self) -> None:
        if not self.lock.acquire(blocking=False):
            return
        try:
            while self.discarded and not self.working:
                release, handle, _ = self.discarded.pop()
                release(handle)
        finally:
            self.lock.release()


def _forked(what: str) -> ForkedError:
    return ForkedError(
        f"{what} before fork() was used in the child process; make another in the child"
    )


def _busy() -> BusyError:
    return BusyError(
        "the context is in the middle of a call of this thread: a signal handler may not "
        "call the library while it interrupts it"
    )


class _Default(threading.local):
    """The contexts of one thread."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.process = os.getpid()
        self.contexts: OrderedDict[tuple[int, str | None, int, int], Context] = (
            OrderedDict()
        )


_default = _Default()


def current_context(
    threads: int = 0,
    backend: str | None = None,
    device: int = -1,
    workspace_limit: int = 0,
) -> Context:
    """The calling thread's context of these settings, made when first asked for."""
    if _default.process != os.getpid():
        _default.begin()  # a child makes its own
    key = (threads, backend, device, workspace_limit)
    contexts = _default.contexts
    context = contexts.get(key)
    if context is None:
        context = contexts[key] = Context(*key)
        if len(contexts) > _KEPT:
            contexts.popitem(last=False)
    elif len(contexts) > 1:
        contexts.move_to_end(key)
    return context


def check_open(handle: c_void_p, what: str) -> None:
    if not handle:
        raise InvalidHandleError(f"the {what} has been released")


def backends() -> list[Device]:
    """The devices that can be named by `backend=` and `device=`, and those that cannot run.

    A backend that cannot run here is listed with the reason. Any thread, at any time.
    """
    count = c_int64()
    check(C.shortlist_device_count(byref(count)))
    found = []
    for position in range(count.value):
        info = c.DeviceInfo()
        check(C.shortlist_device_get_info(byref(info), position))
        found.append(
            Device(
                text(info.backend),
                text(info.device),
                info.index,
                bool(info.available),
                info.score,
                text(info.reason),
            )
        )
    return found
