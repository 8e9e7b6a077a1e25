"""The one exception that users see."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

# What a machine refuses, whatever the program: no room, no permission, no end of files.
_NAMES = "ENOSPC EDQUOT EFBIG EROFS EACCES EPERM EIO ENAMETOOLONG EMFILE ENFILE"
_REFUSED = {getattr(errno, name) for name in _NAMES.split()}


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
        if error.errno not in _REFUSED:
            raise
        where = "" if error.filename is None else f"{error.filename}: "
        raise E2EError(f"{where}{error.strerror}; look at the free space and the permissions") from None
