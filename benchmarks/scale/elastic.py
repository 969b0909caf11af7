"""Several processes learn what one does, also if one of them is killed in mid-epoch.

    python benchmarks/scale/elastic.py --processes 2 4

Trains through the command line, on the sample: in one process; and for each number of processes twice, undisturbed and
with the last process killed (SIGKILL) in the middle of an epoch. The quality has to be that of one process, within what
a seed changes; torchrun's agent has to bring the killed training to the same weights as the undisturbed one.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from protocol import RESULTS, markdown, save

SETTINGS = ["--model", "mult-dae", "--set", "hidden=64", "--set", "batch_size=50", "--set", "patience=none"]


def train(out: Path, processes: int, epochs: int, seed: int = 0, kill_in_epoch: int | None = None) -> dict[str, Any]:
    """Run torchrun; kill the last process in that epoch. Return seconds, the checksum of the weights, quality."""
    command = [sys.executable, "-m", "aerec"]
    if processes > 1:
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        command += ["--max-restarts", "1", "-m", "aerec"]
    command += ["train", "sample", *SETTINGS, "--seed", str(seed), "--epochs", str(epochs), "--out", str(out)]
    began = time.perf_counter()
    with subprocess.Popen([*command, "--quiet"], stdout=subprocess.DEVNULL) as agent:
        if kill_in_epoch is not None:
            threading.Thread(target=_kill, args=(agent.pid, out, kill_in_epoch), daemon=True).start()
        if agent.wait() != 0:
            raise SystemExit("the training failed")
    (weights,) = (out / "model").glob("*.safetensors")
    found = json.loads((out / "run.json").read_text())["report"]["metrics"]
    quality = {name: one["mean"] for name, one in found.items()}
    return {"seconds": time.perf_counter() - began, "weights": weights.stem.split("-")[-1][:12], **quality}


def _kill(agent: int, out: Path, epoch: int) -> None:
    """Wait until the checkpoint says that the epoch before is done, then a moment, then kill."""
    header = out.with_name(f"{out.name}.checkpoint") / "checkpoint.json"
    while True:
        time.sleep(0.01)
        if header.exists() and len(re.findall(r'"epoch"', header.read_text())) >= epoch - 1:
            break
    children = subprocess.run(["pgrep", "-P", str(agent)], capture_output=True, text=True, check=True).stdout.split()
    time.sleep(0.02)
    os.kill(int(children[-1]), signal.SIGKILL)
    print(f"killed one of {len(children)} processes after {epoch - 1} epochs", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the training in one process")
    parser.add_argument("--out", type=Path, default=RESULTS / "scale")
    chosen = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    same = True
    with tempfile.TemporaryDirectory() as folder:
        for seed in chosen.seeds:
            found[f"1, seed {seed}"] = train(Path(folder) / f"alone-{seed}", 1, chosen.epochs, seed)
        for processes in chosen.processes:
            whole, broken = f"{processes}, undisturbed", f"{processes}, one killed"
            found[whole] = train(Path(folder) / f"whole-{processes}", processes, chosen.epochs)
            kill_in = chosen.epochs // 2
            found[broken] = train(Path(folder) / f"broken-{processes}", processes, chosen.epochs, kill_in_epoch=kill_in)
            same &= found[whole]["weights"] == found[broken]["weights"]
    metrics = [name for name in found[f"1, seed {chosen.seeds[0]}"] if name not in ("seconds", "weights")]
    rows = [
        [name, *(f"{one[metric]:.4f}" for metric in metrics), one["weights"], f"{one['seconds']:.0f}"]
        for name, one in found.items()
    ]
    table = markdown(["processes", *metrics, "weights", "s with start"], rows)
    verdict = "With a process killed the training ends with the same weights." if same else "DIFFERENT WEIGHTS"
    title = f"Training in several processes, the sample, Mult-DAE, {chosen.epochs} epochs"
    save("elastic", title, f"{table}\n\n{verdict}", {"found": found}, chosen.out)
    raise SystemExit(0 if same else 1)


if __name__ == "__main__":
    main()
