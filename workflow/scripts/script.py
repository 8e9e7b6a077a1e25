"""What every workflow script shares: a copy of its output in the rule's log, and one line for bad input."""

import sys
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CFG = REPOSITORY / "cmssw/src/RecoE2E/Taggers/test/e2e_cfg.py"

# The library of this checkout, also in an environment into which it was not installed.
sys.path.insert(0, str(REPOSITORY / "src"))

from e2e.errors import E2EError, of_the_machine  # noqa: E402


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
def reported():
    """Run a script's body; bad input prints one line and exits with code 1."""
    try:
        with of_the_machine():
            yield
    except E2EError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


@contextmanager
def logged(log):
    """``reported``, with stdout and stderr also copied to the file ``log``."""
    terminal = sys.stdout, sys.stderr
    with open(log, "w") as file:
        sys.stdout, sys.stderr = (_Tee(stream, file) for stream in terminal)
        try:
            with reported():
                yield
        finally:
            sys.stdout, sys.stderr = terminal
