"""What every workflow script shares: a copy of its output in the rule's log, and one line for bad input."""

import faulthandler
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CFG = REPOSITORY / "cmssw/src/RecoE2E/Taggers/test/e2e_cfg.py"

# The library of this checkout, also in an environment into which it was not installed.
sys.path.insert(0, str(REPOSITORY / "src"))

from e2e.errors import E2EError, Stopped, of_the_machine, stoppable  # noqa: E402


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
    """Run a script's body with its output, and what ends it, copied to the file ``log``.

    Bad input and signals are said in one line, anything else with its traceback. What the body starts may
    itself write the file: what is said here comes after it.
    """
    terminal = sys.stdout, sys.stderr
    Path(log).write_text("")
    with open(log, "a") as file:
        faulthandler.enable(file)  # for a crash of compiled code
        sys.stdout, sys.stderr = (_Tee(stream, file) for stream in terminal)
        try:
            with of_the_machine(), stoppable():
                yield
        except E2EError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(1)
        except Stopped as stopped:
            print(stopped, file=sys.stderr)
            sys.exit(stopped.code)
        except Exception:
            traceback.print_exc()
            sys.exit(1)
        finally:
            sys.stdout, sys.stderr = terminal
            faulthandler.disable()
