"""How long does the command line take to start: processor time of `--version`, `--help`, a mistyped option.

Each is a process of its own, some times over; the shortest counts. Beside them stands what `import torch` takes,
which a command that computes nothing must not pay.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from protocol import RESULTS, arguments, markdown, save

AEREC = [sys.executable, "-m", "aerec"]
COMMANDS: dict[str, tuple[list[str], int]] = {
    "python -c pass": ([sys.executable, "-c", "pass"], 0),
    "aerec --version": ([*AEREC, "--version"], 0),
    "aerec --help": ([*AEREC, "--help"], 0),
    "aerec -h": ([*AEREC, "-h"], 0),
    "aerec train --help": ([*AEREC, "train", "--help"], 0),
    "aerec train sample --sede 3": ([*AEREC, "train", "sample", "--sede", "3"], 2),
    "aerec tarin": ([*AEREC, "tarin"], 2),
    'python -c "import aerec"': ([sys.executable, "-c", "import aerec"], 0),
    'python -c "import torch"': ([sys.executable, "-c", "import torch"], 0),
}


def processor_seconds(command: list[str], code: int) -> float:
    """Return the processor time of a process and those that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != code:
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr.decode()}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], trials=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.set_defaults(out=RESULTS / "speed")
    given = parser.parse_args()
    found: dict[str, Any] = dict.fromkeys(COMMANDS, float("inf"))
    for _ in range(given.rounds):
        for name, (command, code) in COMMANDS.items():
            found[name] = min(found[name], processor_seconds(command, code))
    save(
        "startup",
        f"Start of the command line: processor time, the shortest of {given.rounds}",
        markdown(["command", "seconds"], [[f"`{name}`", f"{seconds:.2f}"] for name, seconds in found.items()]),
        {"rounds": given.rounds, "processor_seconds": found},
        given.out,
    )


if __name__ == "__main__":
    main()
