"""Kill trainings at random moments; resumed, they have to end byte for byte where uninterrupted ones end.

For every model the command line trains on the generated sample once without interruption. Then it is started again and
again and killed (SIGKILL): at a random moment of its life, at a random moment while a checkpoint is being written, or
while the final run is being saved. ``--resume`` finishes it, and the tensors of the saved model have to have the
checksum of those of the uninterrupted training. Nothing temporary may be left behind.

Every training is a process of its own, forked from this one behind the imports, which would take most of its life.

    python benchmarks/reliability/kill.py --kills 50
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from aerec.cli import main as command_line
from protocol import RESULTS, markdown, save

MODELS: Mapping[str, tuple[str, ...]] = {
    "mult-vae": ("hidden=300,100", "epochs=12"),
    "rec-vae": ("hidden=64,32", "epochs=8"),
    "elsa": ("n_factors=64", "epochs=15"),
    "autorec": ("hidden=64", "epochs=10"),
    "cdae": ("hidden=64", "epochs=12"),
}
MOMENTS = ("any time", "checkpoint write", "final save")
_LIMIT = 600.0
_FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Kill:
    """One kill: when it was meant to hit and when it did, how far the training was, and how the resumed one ended."""

    model: str
    moment: str
    seconds: float
    epochs_kept: int
    saved_already: bool
    same_weights: bool
    left_behind: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    given = parser.parse_args()
    rng = random.Random(given.seed)
    names = given.models.split(",")
    kills: list[Kill] = []
    with tempfile.TemporaryDirectory() as folder:
        whole = {name: _uninterrupted(name, Path(folder)) for name in names}
        for number in range(given.kills):
            name, moment = names[number % len(names)], MOMENTS[number // len(names) % len(MOMENTS)]
            kills.append(_kill_and_resume(name, moment, *whole[name], Path(folder) / f"{number}", rng))
            print(number + 1, kills[-1], flush=True)
    good = sum(one.same_weights and not one.left_behind for one in kills)
    title = f"Killed and resumed: {good} of {len(kills)} end byte for byte where the uninterrupted training ends"
    content = {"kills": [vars(one) for one in kills], "settings": {name: list(MODELS[name]) for name in names}}
    save("kill", title, _table(kills, names), content, given.out)
    if good < len(kills):
        sys.exit(1)


def _table(kills: list[Kill], names: list[str]) -> str:
    header = (
        "model",
        "killed at",
        "kills",
        "before the first checkpoint",
        "after the run was in place",
        "epochs kept",
        "same weights",
        "left behind",
    )
    rows = []
    for name in names:
        for moment in MOMENTS:
            those = [one for one in kills if (one.model, one.moment) == (name, moment)]
            if those:
                kept = [one.epochs_kept for one in those if not one.saved_already]
                shown = f"{min(kept)} to {max(kept)}" if kept else ""
                same, left = sum(one.same_weights for one in those), sum(len(one.left_behind) for one in those)
                rows.append((name, moment, len(those), kept.count(0), len(those) - len(kept), shown, same, left))
    return markdown(header, rows)


# ---------------------------------------------------------------------- one training


def _start(name: str, out: Path, *more: str) -> Any:
    """Begin `aerec train` in a process of its own."""
    settings = [word for one in MODELS[name] for word in ("--set", one)]
    words = ["train", "sample", "--model", name, "--set", "patience=none", *settings, "--quiet", "--out", str(out)]
    process = _FORK.Process(target=_aerec, args=([*words, *more],))
    process.start()
    return process


def _aerec(words: list[str]) -> None:
    sys.argv = ["aerec", *words]
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 1)
    command_line()


def _uninterrupted(name: str, folder: Path) -> tuple[dict[str, str], float]:
    """Return the checksums of the weights, and how long it takes altogether."""
    out, began = folder / name, time.perf_counter()
    process = _start(name, out)
    process.join(_LIMIT)
    if process.exitcode:
        raise RuntimeError(f"training {name} failed")
    seconds = time.perf_counter() - began
    print(f"{name}: {seconds:.1f} s", flush=True)
    return _weights(out), seconds


def _kill_and_resume(
    name: str, moment: str, expected: dict[str, str], seconds: float, folder: Path, rng: random.Random
) -> Kill:
    folder.mkdir()
    out = folder / "run"
    began = time.perf_counter()
    process = _start(name, out)
    _wait(process, moment, out, rng, rng.uniform(0, seconds))
    process.kill()
    process.join()
    lived = time.perf_counter() - began
    saved, epochs = (out / "run.json").exists(), _epochs(out)
    resumed = _start(name, out, "--resume", *(["--overwrite"] if saved else []))
    resumed.join(_LIMIT)
    if resumed.exitcode:
        raise RuntimeError(f"{name} cannot be resumed from {out}")
    left = [path.name for path in folder.rglob("*") if path.name.endswith((".part", ".old", ".checkpoint"))]
    same = _weights(out) == expected
    shutil.rmtree(folder)
    return Kill(name, moment, round(lived, 3), epochs, saved, same, tuple(sorted(left)))


def _wait(process: Any, moment: str, out: Path, rng: random.Random, seconds: float) -> None:
    """Return when the process is to be killed."""
    ends = time.perf_counter() + (seconds if moment == "any time" else _LIMIT)
    writes = rng.randrange(16)  # which temporary file of the checkpoint to hit: two are written per epoch
    seen: set[str] = set()
    while process.is_alive() and time.perf_counter() < ends:
        if moment == "any time":
            time.sleep(0.001)
            continue
        seen |= set(_temporary(_kept(out) if moment == "checkpoint write" else out.parent))
        if moment == "checkpoint write" and len(seen) > writes:
            break
        if moment == "final save" and seen:
            time.sleep(rng.uniform(0, 0.06))  # the save takes about that long
            break


def _temporary(folder: Path) -> Iterator[str]:
    with suppress(OSError):
        yield from (entry.name for entry in os.scandir(folder) if entry.name.endswith(".part"))


def _kept(out: Path) -> Path:
    return out.with_name(f"{out.name}.checkpoint")


def _epochs(out: Path) -> int:
    """Return how many epochs the checkpoint holds."""
    try:
        header: dict[str, Any] = json.loads((_kept(out) / "checkpoint.json").read_text())
    except OSError:
        return 0
    return len(header["records"])


def _weights(out: Path) -> dict[str, str]:
    """Return the checksum of every file of tensors in the run; they are named by them as well."""
    found = {}
    for header in sorted(out.rglob("*.json")):
        content = json.loads(header.read_text())
        if "tensors" in content:
            found[str(header.relative_to(out))] = content["tensors"]["sha256"]
    return found


if __name__ == "__main__":
    main()
