# SPDX-License-Identifier: Apache-2.0
"""How much memory `spade checkpoint import` takes for a published COCO-Stuff generator of full size (390 MB).

python -m benchmarks.import_memory
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from spade_core.checkpoint.reference.keys import as_saved, published_name
from spade_core.model.spade import Generator, GeneratorConfig

ROOT = Path(__file__).resolve().parents[1]
LIMIT_MB = 1300

# Resident memory at its peak; of a file that is mapped, what has been read counts. On Linux getrusage would also count
# the process that started this one, as it was before exec.
MEASURED = """
import resource, sys
from pathlib import Path
from spade_core.cli import main
code = main(sys.argv[1:])
status = Path("/proc/self/status")
if status.exists():
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    peak = float(lines["VmHWM"].split()[0]) / 1e3
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
print("peak", peak)
sys.exit(code)
"""


def coco_weights() -> dict[str, torch.Tensor]:
    """A state dict of the published COCO-Stuff generator's shapes, with random numbers."""
    with torch.device("meta"):
        state = Generator(GeneratorConfig(183, instance_edges=True)).state_dict()
    return {
        published_name(key): 0.1 * torch.rand(value.shape)
        if value.is_floating_point()
        else torch.zeros(value.shape, dtype=value.dtype)
        for key, value in state.items()
    }


def import_peak(folder: Path) -> float:
    """MB that the command takes in a process of its own to import what is in the folder."""
    words = ["checkpoint", "import", str(folder), "--preset", "coco", "-o", str(folder / "model.safetensors")]
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, *words], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return float(ended.stdout.split("peak")[-1])


def main() -> None:
    """Print the table."""
    weights = coco_weights()
    without_v = {key: value for key, value in weights.items() if not key.endswith(".weight_v")}
    kinds = {
        "of PyTorch 1.6 and later": (weights, True),
        "of PyTorch 1.0 to 1.5": (weights, False),
        "without the v of spectral norm": (without_v, False),
    }
    print(f"{'a file':32} {'peak MB':>8} {'seconds':>8}   (limit {LIMIT_MB} MB)")
    for what, (state, zipped) in kinds.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "latest_net_G.pth"
            torch.save(as_saved(state), path, _use_new_zipfile_serialization=zipped)
            began = time.perf_counter()
            peak = import_peak(Path(folder))
        print(f"{what:32} {peak:8.0f} {time.perf_counter() - began:8.1f}")


if __name__ == "__main__":
    main()
