"""The one exception that users see, and the one by which they stop a step."""

import errno
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# What a machine refuses, whatever the program, and what helps.
_REMEDIES = {
    errno.ENOSPC: "make room there, or choose another place",
    errno.EDQUOT: "make room there, or choose another place",
    errno.EFBIG: "choose a place that takes files of this size",
    errno.EROFS: "choose another place",
    errno.EACCES: "look at the permissions",
    errno.EPERM: "look at the permissions",
    errno.EIO: "look at the disk, or choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "look where the links lead",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENFILE: "end other programs: together they have too many files open",
}


class E2EError(Exception):
    """Bad input or a failed step: the message says what was wrong, where, and what to do.

    Commands and workflow scripts print it as a single line and exit with code 1; any other
    exception is a bug and keeps its traceback.
    """


@contextmanager
def of_the_machine() -> Iterator[None]:
    """Raise what the machine refuses in the block, such as writing to a full disk, as `E2EError`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        where = "" if error.filename is None else f"{error.filename}: "
        raise E2EError(f"{where}{error.strerror}; {remedy(error)}") from None


def remedy(error: BaseException) -> str:
    """What helps against an error of the machine."""
    return _REMEDIES.get(getattr(error, "errno", 0), "choose another place")


class Stopped(BaseException):
    """Ctrl-C, or SIGTERM from a batch system; ``code`` is the exit code that a shell expects then."""

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.code = 128 + number


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM unwind the block as Ctrl-C does, so that no scratch file stays; both leave it as `Stopped`.

    For the main thread of a process. A signal that the process was told to ignore stays so. Python drops what
    is raised in a ``__del__`` or in a callback of the garbage collector, of which Dask has one; a signal that
    came there is raised again a moment later.
    """
    received = []
    unraisable = sys.unraisablehook

    def stop(number: int, _: object) -> None:
        if number != signal.SIGALRM:
            received.append(number)
        raise KeyboardInterrupt if received[0] == signal.SIGINT else Stopped(received[0])

    def dropped(what: "sys.UnraisableHookArgs") -> None:
        if received and isinstance(what.exc_value, KeyboardInterrupt | Stopped):
            signal.signal(signal.SIGALRM, stop)
            signal.setitimer(signal.ITIMER_REAL, 0.01)
        else:
            unraisable(what)

    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in numbers}
    before[signal.SIGALRM] = signal.getsignal(signal.SIGALRM)
    sys.unraisablehook = dropped
    try:
        yield
    except BaseException:
        if received:  # some libraries, such as ROOT's bindings, make an error of their own of it
            raise Stopped(received[0]) from None
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = unraisable
        for number, handler in before.items():
            signal.signal(number, handler)
