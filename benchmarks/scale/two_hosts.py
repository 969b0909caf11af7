"""Train on two hosts, made on one machine as network namespaces joined by a cable (a veth pair); needs root.

    python benchmarks/scale/two_hosts.py [--delay 1ms] [--rate 1gbit]

Each namespace has a network of its own and sees nothing but the other; torchrun runs in both, as on two machines. The
quality is set beside that of one process. `--delay` and `--rate` make the cable slower (where tc is there).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from protocol import RESULTS, markdown, save

HOSTS = {"aerec-a": "10.77.0.1", "aerec-b": "10.77.0.2"}
PORT = 29_577


def ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=not check)


def connect(delay: str | None, rate: str | None) -> None:
    """Make the two hosts and the cable."""
    first, second = HOSTS
    for host in HOSTS:
        ip("netns", "add", host)
    ip("link", "add", "veth-a", "netns", first, "type", "veth", "peer", "name", "veth-b", "netns", second)
    for (host, address), end in zip(HOSTS.items(), ("veth-a", "veth-b"), strict=True):
        ip("-n", host, "addr", "add", f"{address}/24", "dev", end)
        for device in (end, "lo"):
            ip("-n", host, "link", "set", device, "up")
        if delay or rate:
            shaped = [*(("delay", delay) if delay else ()), *(("rate", rate) if rate else ())]
            qdisc = ["tc", "qdisc", "add", "dev", end, "root", "netem", *shaped]
            subprocess.run(["ip", "netns", "exec", host, *qdisc], check=True)


def sent(host: str, end: str) -> int:
    """Bytes that a host has sent over the cable."""
    command = ["ip", "-n", host, "-s", "-j", "link", "show", end]
    shown = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return int(shown[0]["stats64"]["tx"]["bytes"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--delay", help="of the cable, such as 1ms")
    parser.add_argument("--rate", help="of the cable, such as 1gbit")
    parser.add_argument("--model", default="mult-dae")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--timeout", type=int, default=300)
    parser.add_argument("--out", type=Path, default=RESULTS / "scale")
    chosen = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("network namespaces need root")
    words = ["train", "sample", "--model", chosen.model, "--epochs", str(chosen.epochs), "--quiet", "--out"]
    ends = dict(zip(HOSTS, ("veth-a", "veth-b"), strict=True))
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "alone"
        subprocess.run([sys.executable, "-m", "aerec", *words, str(alone)], check=True, stdout=subprocess.DEVNULL)
        try:
            connect(chosen.delay, chosen.rate)
            together = Path(folder) / "together"
            master = f"--nnodes 2 --nproc-per-node 1 --master-addr {HOSTS['aerec-a']} --master-port {PORT}".split()
            began, agents = time.perf_counter(), []
            for number, (host, end) in enumerate(ends.items()):
                command = [sys.executable, "-m", "torch.distributed.run", *master, "--node-rank", str(number)]
                command += ["-m", "aerec", *words, str(together)]
                environment = {**os.environ, "GLOO_SOCKET_IFNAME": end, "TP_SOCKET_IFNAME": end}
                inside = ["ip", "netns", "exec", host, *command]
                agents.append(subprocess.Popen(inside, env=environment, stdout=subprocess.DEVNULL))
            try:
                codes = [agent.wait(chosen.timeout) for agent in agents]
            finally:
                for agent in agents:
                    agent.terminate()
            if any(codes):
                raise SystemExit(f"torchrun ended with {codes}")
            seconds = time.perf_counter() - began
            traffic = {host: sent(host, end) / 1e6 for host, end in ends.items()}
        finally:
            for host in HOSTS:
                ip("netns", "del", host, check=False)
        report({run.name: json.loads((run / "run.json").read_text()) for run in (alone, together)}, traffic, chosen)
        print(f"two hosts: {seconds:.1f} s with start-up")


def report(runs: dict[str, Any], traffic: dict[str, float], chosen: argparse.Namespace) -> None:
    """Write the table and the JSON."""
    metrics = list(runs["alone"]["report"]["metrics"])
    rows, content = [], {}
    for name, run in runs.items():
        means = {metric: run["report"]["metrics"][metric]["mean"] for metric in metrics}
        content[name] = {"processes": run["processes"], "fit_seconds": run["fit_seconds"], **means}
        rows.append([name, run["processes"], *(f"{means[metric]:.4f}" for metric in metrics), run["fit_seconds"]])
    shaped = ", ".join(f"{what} {value}" for what, value in (("delay", chosen.delay), ("rate", chosen.rate)) if value)
    words = ", ".join(f"{host} {megabytes:.1f} MB" for host, megabytes in traffic.items())
    note = f"\n\nTwo network namespaces with a cable between them{f' ({shaped})' if shaped else ''}; sent: {words}."
    title = f"Two hosts train together, the sample, {chosen.model}, {chosen.epochs} epochs"
    table = markdown(["hosts", "processes", *metrics, "training, s"], rows)
    save("two-hosts", title, table + note, {"runs": content, "sent_mb": traffic}, chosen.out)


if __name__ == "__main__":
    main()
