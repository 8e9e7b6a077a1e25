"""``python3 -m FWCore.ParameterSet.dumpProcess CFG [ARGUMENTS]``: run a configuration for cmsRun.

Writes to file descriptor 3, as JSON, the process, or {"error": message}. The configuration sees cmsRun's
command line in sys.argv.
"""

import json
import os
import sys
import traceback

from FWCore.ParameterSet.Config import Process


def run(configuration):
    """The process that a configuration defines, encoded."""
    names = {"__name__": "__main__", "__file__": configuration}
    with open(configuration) as text:
        exec(compile(text.read(), configuration, "exec"), names)
    if not isinstance(names.get("process"), Process):
        raise RuntimeError("no 'process' attribute found in the configuration, please add one")
    return names["process"].encode()


def describe(error):
    """What went wrong, and where in the configuration and what it calls."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    calls = "".join(f"\n  {frame.filename}({frame.lineno}): {frame.name}" for frame in reversed(frames))
    return "".join(traceback.format_exception_only(error)) + (f"\nAt:{calls}\n" if calls else "")


def main():
    out = os.fdopen(3, "w")
    configuration, arguments = sys.argv[1], sys.argv[2:]
    sys.argv = ["cmsRun", configuration, *arguments]
    try:
        answer = run(configuration)
    except Exception as error:
        answer = {"error": describe(error)}
    with out:
        json.dump(answer, out)


if __name__ == "__main__":
    main()
