"""Make one virtual environment per peer, so that none has to live with the pins of another.

    python benchmarks/peers/environments.py [RecBole …]

They go to ``.peers/`` beside the sources, or to ``$AEREC_PEERS``. PyTorch comes first and with its pin in every
command: a looser range would bring in another, far larger build of it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(os.environ.get("AEREC_PEERS", Path(__file__).resolve().parents[2] / ".peers"))
TORCH = ["torch==2.13.0"]
# recbole 1.2.1 asks for nothing newer than what it was written for, and does not run on it: np.float_ went with
# numpy 2, ray imports pkg_resources, which went with setuptools 80. This set is the newest that runs.
PEERS: dict[str, tuple[list[str], list[str]]] = {
    "recbole": (TORCH, ["recbole==1.2.1", "setuptools<80", "numpy==1.26.4", "scipy==1.15.3", "pandas==2.3.3"]),
    "cornac": (TORCH, ["cornac==3.0.1"]),
    "implicit": ([], ["implicit==0.7.3"]),
    "irspack": ([], ["irspack==0.5.2"]),
    "ranx": ([], ["ranx==0.3.21"]),
    "rectools": (TORCH, ["rectools[torch]==0.19.0"]),
    "elsarec": (TORCH, ["elsarec==0.1.4"]),
    "sansa": ([], ["sansa==1.1.0", "scikit-sparse==0.4.16"]),  # later releases of the second want SuiteSparse 7
}
COMPILED = ("sansa",)  # made by name only: it wants a compiler and the headers of SuiteSparse (libsuitesparse-dev)
OWN = ("aerec", "dense")  # those that run in aerec's own environment


def interpreter(peer: str) -> Path:
    """Return the Python of the peer's environment, after checking that it is there."""
    if peer in OWN:
        return Path(sys.executable)
    python = _python(peer)
    if not python.exists():
        raise SystemExit(f"no environment for {peer} in {FOLDER}; python benchmarks/peers/environments.py {peer}")
    return python


def is_there(peer: str) -> bool:
    """Whether the peer has an environment."""
    return _python(peer).exists()


def make(peer: str) -> None:
    """Make the environment, or bring it to these versions."""
    first, packages = PEERS[peer]
    if not _python(peer).exists():
        venv.create(FOLDER / peer, with_pip=True)
    if first:
        _install(peer, first)
    _install(peer, [*packages, *first])
    subprocess.run([_python(peer), "-m", "pip", "check"], check=True)


def _install(peer: str, packages: list[str]) -> None:
    subprocess.run([_python(peer), "-m", "pip", "install", "-q", *packages], check=True)


def _python(peer: str) -> Path:
    return FOLDER / peer / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def main() -> None:
    """Make those that were asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", nargs="*", choices=[[], *PEERS], help="all by default but sansa")
    for peer in parser.parse_args().peers or [name for name in PEERS if name not in COMPILED]:
        print(f"{peer} in {FOLDER / peer}", flush=True)
        make(peer)


if __name__ == "__main__":
    main()
