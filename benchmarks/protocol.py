"""What all benchmarks share: random search on validation data, one fresh process per fit, results with the machine.

A fit runs in a process of its own, so that its peak memory is its own. Every model gets the same number of trials,
drawn at random from its space (all of it where it is smaller); the best by validation is fitted again with several
seeds and only those are measured on test data.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import multiprocessing
import os
import platform
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aerec.files.atomic import atomic_write
from aerec.recommender.saving import encode_parameter
from aerec.system.environment import describe_machine, package_versions

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Space:
    """A model by its command-line name, fixed parameters, and those to choose: name → choices."""

    model: str
    choices: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""

    @property
    def name(self) -> str:
        """How tables call it."""
        return self.label or self.model

    def draw(self, n_trials: int, seed: int) -> list[dict[str, Any]]:
        """Return `n_trials` different settings at random, or all where there are no more."""
        size = int(np.prod([len(values) for values in self.choices.values()], dtype=np.int64))
        rng = random.Random(f"{seed} {self.name}")
        chosen = rng.sample(range(size), min(n_trials, size))
        return [{**self.fixed, **self._setting(number)} for number in chosen]

    def _setting(self, number: int) -> dict[str, Any]:
        setting = {}
        for name, values in self.choices.items():
            number, at = divmod(number, len(values))
            setting[name] = values[at]
        return setting


@dataclass(frozen=True)
class Trial:
    """One fit: which space, with which parameters, and what came of it."""

    name: str
    model: str
    params: dict[str, Any]
    found: dict[str, Any]


def run_trials(
    fit: Callable[[str, dict[str, Any]], dict[str, Any]],
    tasks: Iterable[tuple[str, str, dict[str, Any]]],
    jobs: int,
    threads: int,
) -> list[Trial]:
    """Run ``fit(model, params)`` for each (name, model, params), `jobs` processes at once with `threads` each."""
    os.environ.update({name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")})
    trials = []
    with ThreadPoolExecutor(jobs) as pool:
        started = {pool.submit(in_own_process, _one_trial, (fit, *task)): task for task in tasks}
        try:
            for done in as_completed(started):
                trials.append(trial := done.result())
                print(f"{trial.name:<22} {_short(trial.found)}  {_short(as_json(trial.params))}", flush=True)
        except BrokenProcessPool:
            name, _, params = started[done]
            raise SystemExit(f"{name} with {_short(as_json(params))}: its process was killed") from None
        finally:
            pool.shutdown(cancel_futures=True)
    return trials


def in_own_process(call: Callable[..., Any], *given: Any) -> Any:
    """Return ``call(*given)``, made in a fresh process; BrokenProcessPool says that it was killed."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as own:
        return own.submit(call, *given).result()


def _one_trial(task: tuple[Callable[[str, dict[str, Any]], dict[str, Any]], str, str, dict[str, Any]]) -> Trial:
    fit, name, model, params = task
    before = peak_memory()
    started = time.perf_counter()
    found = fit(model, params)
    found = {"seconds": time.perf_counter() - started, **found}
    return Trial(name, model, params, {**found, "peak_mb": peak_memory(), "start_mb": before})


def search(
    spaces: Sequence[Space],
    fit: Callable[[str, dict[str, Any]], dict[str, Any]],
    *,
    n_trials: int,
    jobs: int,
    threads: int,
    seed: int = 0,
    lower_is_better: bool = False,
) -> dict[str, Trial]:
    """Return the best trial of each space by ``found["validation"]``."""
    tasks = [(space.name, space.model, params) for space in spaces for params in space.draw(n_trials, seed)]
    sign = -1 if lower_is_better else 1
    best: dict[str, Trial] = {}
    for trial in run_trials(fit, tasks, jobs, threads):
        score = sign * trial.found["validation"]
        if trial.name not in best or score > sign * best[trial.name].found["validation"]:
            best[trial.name] = trial
    return {space.name: best[space.name] for space in spaces}


def peak_memory() -> float:
    """Peak resident memory of this process in MB (10⁶ bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def set_threads(threads: int) -> None:
    """Set the threads of PyTorch and of BLAS."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    threadpool_limits(threads, "blas")


def seeded(model: str, params: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return `params` with the seed, where the model has one."""
    from aerec.registry import get_model_class

    return {**params, **({"seed": seed} if "seed" in get_model_class(model)().get_params() else {})}


def arguments(description: str, trials: int) -> argparse.ArgumentParser:
    """Return a parser with what all benchmarks take."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--trials", type=int, default=trials, help="settings tried per model")
    parser.add_argument("--jobs", type=int, default=1, help="fits at once")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads of each fit")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    return parser


def save(name: str, title: str, table: str, content: Mapping[str, Any], out: Path) -> None:
    """Print the table and write ``<name>.md`` for people and ``<name>.json`` for machines."""
    machine, versions = describe_machine(), package_versions()
    lines = [
        f"# {title}",
        "",
        table,
        "",
        f"Command: `python {' '.join([str(Path(sys.argv[0]).as_posix()), *_without_out(sys.argv[1:])])}`",
        f"Commit: {commit()}; {time.strftime('%Y-%m-%d', time.gmtime())}",
        f"Machine: {machine_line()}; Python {platform.python_version()}",
        "Versions: " + ", ".join(f"{key} {value}" for key, value in versions.items() if key != "python"),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    out.mkdir(parents=True, exist_ok=True)
    whole = {"title": title, **content, "machine": machine, "versions": versions, "commit": commit()}
    for suffix, written in (("md", text), ("json", json.dumps(as_json(whole), indent=1) + "\n")):
        with atomic_write(out / f"{name}.{suffix}") as stream:
            stream.write(written)


def _without_out(words: Sequence[str]) -> list[str]:
    """Return the words of a command but for ``--out FOLDER``: where it wrote says nothing of what it did."""
    kept = [word for word in words if not word.startswith("--out=")]
    while "--out" in kept:
        at = kept.index("--out")
        del kept[at : at + 2]
    return kept


def machine_line() -> str:
    """Return the machine in words, and whether kernels were compiled for it."""
    from aerec.native.loader import describe  # not above: `structure/` runs older versions, too

    machine = describe_machine()
    parts = [machine["processor"], f"{machine['cores']} cores", f"{(machine['memory'] or 0) / 2**30:.0f} GiB"]
    return ", ".join([*parts, *machine["instruction_sets"], *_gpus(), f"compiled kernels: {describe()}"])


def _gpus() -> list[str]:
    import torch

    return [torch.cuda.get_device_name(at) for at in range(torch.cuda.device_count())]


def markdown(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table; numbers come as text."""
    cells = [[str(one) for one in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(one.ljust(width) for one, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def commit() -> str:
    """Return the commit that is checked out, with a mark where files other than results were changed since."""
    questions = (
        ["git", "describe", "--always", "--abbrev=10"],
        ["git", "status", "--porcelain", "--untracked-files=no", "--", ":/", f":(exclude){RESULTS}"],
    )
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        name, changed = (
            subprocess.run(question, capture_output=True, text=True, check=True, cwd=Path(__file__).parent).stdout
            for question in questions
        )
        return f"{name.strip()}-dirty" if changed.strip() else name.strip()
    return "unknown"


def as_json(value: Any) -> Any:
    """Return `value` in a form that JSON can hold; choices such as MaskingNoise(0.5) by their names."""
    if isinstance(value, Mapping):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.6g}") if value == value else None
    if value is None or isinstance(value, bool | int | str):
        return value
    encode_parameter(value)  # raises for what is no choice of ours
    return " ".join(repr(value).split())


def pairwise_seeds(names: Iterable[str], seeds: Sequence[int]) -> Iterator[tuple[str, int]]:
    """Give every name with every seed."""
    return itertools.product(names, seeds)


def _short(value: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={one:.4g}" if isinstance(one, float) else f"{key}={one}" for key, one in value.items())
