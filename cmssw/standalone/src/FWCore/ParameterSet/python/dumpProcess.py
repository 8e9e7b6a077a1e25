"""``python3 -m FWCore.ParameterSet.dumpProcess CFG [ARGUMENTS]``: run a configuration for cmsRun.

Writes its process as JSON to file descriptor 3. The configuration sees cmsRun's command line in sys.argv.
"""

import json
import os
import runpy
import sys

from FWCore.ParameterSet.Config import Process


def main():
    out = os.fdopen(3, "w")
    configuration, arguments = sys.argv[1], sys.argv[2:]
    sys.argv = ["cmsRun", configuration, *arguments]
    names = runpy.run_path(configuration, run_name="__main__")
    if not isinstance(names.get("process"), Process):
        sys.exit(f"{configuration} defines no cms.Process called process")
    with out:
        json.dump(names["process"].encode(), out)


if __name__ == "__main__":
    main()
