"""What every workflow script shares: a copy of its output in the rule's log, and one line for bad input."""

import sys
from contextlib import contextmanager
from pathlib import Path

# The library of this checkout, also in an environment into which it was not installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))

from e2e.errors import E2EError


class _Tee:
    """A text stream that writes to the terminal and to the log."""

    def __init__(self, terminal, log):
        self._terminal, self._log = terminal, log

    def write(self, text):
        self._terminal.write(text)
        return self._log.write(text)

    def __getattr__(self, name):
        return getattr(self._terminal, name)

    def flush(self):
        self._terminal.flush()
        self._log.flush()


@contextmanager
def logged(log):
    """Run a script's body with stdout and stderr copied to the file ``log``."""
    terminal = sys.stdout, sys.stderr
    with open(log, "w") as file:
        sys.stdout, sys.stderr = (_Tee(stream, file) for stream in terminal)
        try:
            yield
        except E2EError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(1)
        finally:
            sys.stdout, sys.stderr = terminal
