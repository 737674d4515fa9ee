#!/bin/sh
# Builds the trainer for GPUs and tries it on the GPU of this machine: its tests, then the probe.
#
#   hospital-node/trainer/check-gpu.sh          Vulkan (any vendor's driver)
#   hospital-node/trainer/check-gpu.sh cuda     CUDA (the toolkit must be installed)
#
# Needs a real GPU and its driver. Software Vulkan (Mesa's llvmpipe) is no substitute: it crashes, so the probe leaves it out
# and this script ends with 1. The build compiles burn's GPU stack: about 50 CPU-minutes the first time, in a folder of
# its own so that the ordinary build stays as it is.
set -eu
feature=${1:-wgpu}
cd "$(dirname "$0")/../.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/gpu-$feature"

cargo test --package snowball-trainer --features "$feature"
cargo build --package snowball-trainer --features "$feature"
trainer="$CARGO_TARGET_DIR/debug/snowball-trainer"
"$trainer" probe
if "$trainer" probe --json | tr -d ' \n' | grep -q '"choice":{"gpu":{[^}]*}},"sound":true'; then
    echo "check-gpu: a GPU trains as the CPU does"
else
    echo "check-gpu: no sound GPU was found" >&2
    exit 1
fi
