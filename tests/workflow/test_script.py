"""What ends a workflow script reaches the log of its rule."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "workflow/scripts"


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("raise E2EError('no such branch')", 1, "error: no such branch\n"),
        ("raise ValueError('a bug')", 1, "Traceback (most recent call last):\n"),
        ("raise ValueError('a bug')", 1, "ValueError: a bug\n"),
        ("import no_such_module", 1, "ModuleNotFoundError: No module named 'no_such_module'\n"),
        ("os.kill(os.getpid(), signal.SIGTERM)", 143, "stopped by SIGTERM\n"),
        ("os.kill(os.getpid(), signal.SIGINT)", 130, "stopped by SIGINT\n"),
        ("import faulthandler; faulthandler._sigsegv()", -signal.SIGSEGV, "Segmentation fault\n"),
    ],
)
def test_what_ends_a_script_is_in_its_log(tmp_path, body, code, said):
    """After what the script, or a program that it started, wrote there."""
    log = tmp_path / "rule.log"
    log.write_text("of an earlier run\n")
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(SCRIPTS)!r})\n"
        "from script import E2EError, logged\n"
        f"with logged({str(log)!r}):\n"
        f"    Path({str(log)!r}).write_text('of a program\\n')\n"
        f"    {body}\n"
    )
    done = subprocess.run([sys.executable, "-c", script], text=True, capture_output=True, check=False)
    assert done.returncode == code
    assert log.read_text().startswith("of a program\n")
    assert said in log.read_text()
    if code >= 0:
        assert said in done.stderr
