"""Fuzz everything that reads a file for so many seconds.

With atheris installed (coverage-guided) each target is fuzzed in a process of its own; without it, or with
``--random``, good inputs are damaged at random, which also forges signed models and checkpoints. Ends with code 1 where
there are findings and keeps their inputs in ``--findings``. Memory is limited, so that an input that asks for gigabytes
is a finding as well.

    python benchmarks/reliability/fuzz.py --seconds 300
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import resource
import subprocess
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1] / "tests" / "fuzz"), str(HERE.parents[1] / "src")]

_MEMORY = 6 << 30  # of address space, most of which the libraries take
_SIGNED = ("model", "interactions", "checkpoint")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300.0, help="altogether")
    parser.add_argument("--targets", default="", help="separated by commas; all by default")
    parser.add_argument("--random", action="store_true", help="without atheris")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        _coverage_guided(given.one, given.seconds, given.findings)
        return
    from targets import TARGETS

    names = given.targets.split(",") if given.targets else list(TARGETS)
    given.findings.mkdir(parents=True, exist_ok=True)
    if given.random or importlib.util.find_spec("atheris") is None:
        found = _at_random(names, given.seconds, given.seed, given.findings)
    else:
        each = max(1, round(given.seconds / len(names)))
        more = ["--seconds", str(each), "--findings", str(given.findings)]
        found = sum(
            subprocess.run([sys.executable, __file__, "--one", name, *more], check=False).returncode != 0
            for name in names
        )
    print(f"{found} findings" if found else "no findings")
    sys.exit(found > 0)


def _coverage_guided(name: str, seconds: float, findings: Path) -> None:
    import atheris

    with atheris.instrument_imports(include=["aerec", "zipfile", "csv", "json"]):
        from targets import TARGETS, good_inputs
    corpus = findings / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(good_inputs(name)):
        (corpus / f"good{number}").write_bytes(data)
    options = [f"-max_total_time={seconds:.0f}", "-rss_limit_mb=4096", "-timeout=60", "-max_len=20000", "-verbosity=0"]
    atheris.Setup(
        [sys.argv[0], *options, "-print_final_stats=1", f"-artifact_prefix={findings}/{name}-", str(corpus)],
        TARGETS[name][0],
    )
    atheris.Fuzz()


# ---------------------------------------------------------------------- at random


def _at_random(names: list[str], seconds: float, seed: int, findings: Path) -> int:
    from targets import TARGETS, good_inputs, restructured

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    rng, known = random.Random(seed), set()
    good = {name: good_inputs(name) for name in names}
    tried = dict.fromkeys(names, 0)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        name = rng.choice(names)
        data = rng.choice(good[name])
        data = restructured(data, rng.randrange) if name in _SIGNED and rng.random() < 0.7 else _damaged(data, rng)
        tried[name] += 1
        began = time.monotonic()
        try:
            TARGETS[name][0](data)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            _report(name, data, error, findings, known)
        if time.monotonic() - began > 20:
            _report(name, data, TimeoutError(f"{time.monotonic() - began:.0f} s"), findings, known)
    print(", ".join(f"{name} {count:,}" for name, count in tried.items()), "inputs")
    return len(known)


def _report(name: str, data: bytes, error: BaseException, findings: Path, known: set[str]) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    place = (
        f"{name}: {type(error).__name__} at {frames[-1].filename}:{frames[-1].lineno}" if frames else f"{name}: slow"
    )
    if place in known:
        return
    known.add(place)
    path = findings / f"{name}-{len(known)}"
    path.write_bytes(data)
    print(f"{place} ({error}); input in {path}", "".join(traceback.format_exception(error)[-6:]), sep="\n", flush=True)


def _damaged(data: bytes, rng: random.Random) -> bytes:
    tokens = (b"", b"\0", b"\n", b",", b"::", b" ", b'"', b"-1", b"9" * 30, b"1e999", b"nan", b"\xff\xfe", b"{")
    for _ in range(rng.randint(1, 6)):
        begin = rng.randint(0, len(data))
        end = min(len(data), begin + rng.choice((0, 1, 1, 2, 8, 100)))
        new = rng.choice((rng.choice(tokens), rng.randbytes(rng.randint(1, 4)), data[begin:end] * 3))
        data = data[:begin] + new + data[end:]
    return data


if __name__ == "__main__":
    main()
