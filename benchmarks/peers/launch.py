"""Start a peer's script on a job, in the peer's own interpreter, and bring back what it found."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from aerec.system.memory import available_memory
from environments import interpreter

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def launch(
    peer: str,
    model: str,
    params: Mapping[str, Any],
    data: Mapping[str, Any],
    *,
    epochs: int = 1,
    seed: int = 0,
    threads: int = 1,
    rank: bool = False,
    recommend: bool = False,
    validate_from: int | None = None,
    target: float | None = None,
    timeout: float | None = None,
    cpu_time: bool = False,
) -> dict[str, Any]:
    """Train `model` of `peer`; see `job.Job` for the arguments, `job.run` for what comes back.

    `data` holds the matrices train and, optionally, validation and exclude. With `rank` the answer has the ranking as
    "items", an array (n_users, 100). A peer that fails or runs out of time answers with "error" alone.
    """
    with tempfile.TemporaryDirectory(prefix="aerec-peer-") as name:
        folder = Path(name)
        for part, matrix in data.items():
            if matrix is not None:
                sp.save_npz(folder / f"{part}.npz", sp.csr_matrix(matrix), compressed=False)
        job = {"model": model, "params": dict(params), "epochs": epochs, "seed": seed, "threads": threads}
        job |= {
            "rank": rank,
            "recommend": recommend,
            "validate_from": validate_from,
            "target": target,
            "cpu_time": cpu_time,
        }
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        error = start(peer, Path(__file__).with_name(f"run_{peer}.py"), folder, threads, timeout)
        if error is not None:
            return {"error": error}
        found: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        if rank:
            with np.load(folder / "ranking.npz") as arrays:
                found["items"] = arrays["items"].astype(np.int64)
        return found


def start(peer: str, script: Path, folder: Path, threads: int, timeout: float | None = None) -> str | None:
    """Run `script` of `peer` on `folder`, on so many cores; return the last words of one that failed.

    It may not take more memory than there is, so that it fails by itself instead of having others killed.
    """
    threaded = dict.fromkeys(_THREADS, str(threads)) | {"IRSPACK_NUM_THREADS_DEFAULT": str(threads)}
    # implicit has threads of its own and warns of those of BLAS, which would only stand in their way
    blas = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"} if peer == "implicit" else {}

    def confine() -> None:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
        if (free := available_memory()) is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (free, free))

    command = [str(interpreter(peer)), str(script), str(folder)]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **threaded, **blas},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            preexec_fn=confine,
        )
    except subprocess.TimeoutExpired:
        return f"not done after {timeout:.0f} s"
    if done.returncode == 0:
        return None
    return done.stderr.strip().rpartition("\n")[2][:200] or f"exit code {done.returncode}"
