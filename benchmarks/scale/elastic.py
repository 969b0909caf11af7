"""Kill one of several training processes in mid-epoch; torchrun's agent has to bring the training to the same end.

    python benchmarks/scale/elastic.py --processes 2

Trains twice through the command line: undisturbed, and with the last process killed (SIGKILL) in the middle of an
epoch. Both must end with the same weights.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SETTINGS = ["--model", "mult-dae", "--set", "hidden=64", "--set", "batch_size=50", "--set", "patience=none"]


def train(out: Path, processes: int, epochs: int, kill_in_epoch: int | None) -> tuple[float, str]:
    """Run torchrun; kill the last process in that epoch. Return the seconds, and the checksum of the weights."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command += ["--max-restarts", "1", "-m", "aerec", "train", "sample", *SETTINGS, "--epochs", str(epochs)]
    began = time.perf_counter()
    with subprocess.Popen([*command, "--out", str(out), "--quiet"], stdout=subprocess.DEVNULL) as agent:
        if kill_in_epoch is not None:
            threading.Thread(target=_kill, args=(agent.pid, out, kill_in_epoch), daemon=True).start()
        if agent.wait() != 0:
            raise SystemExit("the training failed")
    (weights,) = (out / "model").glob("*.safetensors")
    return time.perf_counter() - began, weights.stem


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
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=40)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ends = {}
        for name, epoch in (("undisturbed", None), ("killed", chosen.epochs // 2)):
            seconds, ends[name] = train(Path(folder) / name, chosen.processes, chosen.epochs, epoch)
            print(f"{name}: {seconds:.1f} s, weights {ends[name]}", flush=True)
    same = len(set(ends.values())) == 1
    print("the same weights" if same else "DIFFERENT WEIGHTS")
    raise SystemExit(0 if same else 1)


if __name__ == "__main__":
    main()
