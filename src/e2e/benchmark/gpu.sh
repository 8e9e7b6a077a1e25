#!/usr/bin/env bash
# The most valuable points of an accelerator first: src/e2e/benchmark/gpu.sh PACK RECORDS [PROVIDER [SECONDS]]
# PACK is a folder of `python -m e2e.benchmark.pack`; RECORDS gets a JSON file a point, each when it is measured. It
# ends after SECONDS (600) at the latest, and goes on where it stopped when it is called again. Sessions and training
# need a Python ($PYTHON) with torch, numpy and the provider's ONNX Runtime; the rest, the whole environment.
set -uo pipefail
[ $# -ge 2 ] || { echo "usage: $0 PACK RECORDS [PROVIDER [SECONDS]]" >&2; exit 2; }
pack=$(readlink -m "$1") records=$(readlink -m "$2") provider=${3:+--provider=$3} limit=${4:-600}
export PYTHONPATH=$(dirname "$(readlink -f "$0")")/../..${PYTHONPATH:+:$PYTHONPATH}

failed=0
for part in sessions training cmsrun loader; do
  left=$((limit - SECONDS))
  if [ "$left" -le 0 ]; then echo "$part: no time is left" >&2; failed=1; continue; fi
  timeout -k 10 "$left" "${PYTHON:-python}" -m e2e.benchmark.measure_pack "$part" "$pack" "$records" $provider || failed=1
done
exit "$failed"
