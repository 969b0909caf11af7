"""How many files and functions of aerec a walk passes through, counted by tracing, and how many classes a model has.

    python benchmarks/structure/count_walks.py [SRC ...] [--out benchmarks/results/structure.md]

Each SRC is the `src` folder of a version, by default that of this one; every one runs in a process of its own. The data
is the generated sample, and the fit one that goes well, with nothing to warn of. A function counts once, with the
functions and comprehensions inside of it. With --list the files and functions are printed instead.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

WALKS = ("MultVAE.fit", "MultVAE.fit, validation", "MultVAE.recommend", "EASE.fit", "evaluate")
MODELS = ("MultVAE", "CDAE", "AutoRec", "KernelAutoRec", "ELSA", "RecVAE", "EASE", "ALS", "Blend")


def walked(call: Callable[[], Any], root: str) -> list[tuple[str, str]]:
    """File and name of the functions below `root` that a call passes through, in any thread."""
    seen: set[tuple[str, str]] = set()

    def look(frame: FrameType, event: str, _: Any) -> None:
        code: CodeType = frame.f_code
        if event == "call" and code.co_filename.startswith(root):
            name = getattr(code, "co_qualname", code.co_name)
            seen.add((code.co_filename.removeprefix(root + os.sep), name.partition(".<locals>")[0]))

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return sorted(seen)


def count() -> dict[str, Any]:
    """All walks and classes of the aerec on this path."""
    import aerec
    from aerec import models as room
    from aerec.baselines import ALS
    from aerec.datasets import load_dataset
    from aerec.models import EASE, MultVAE
    from aerec.splitting import StrongGeneralization

    root = str(Path(aerec.__file__).parent)
    split = StrongGeneralization(n_users=100).split(load_dataset("sample").binarize(4.0))
    options: dict[str, Any] = {"hidden": 16, "epochs": 8, "learning_rate": 0.03, "progress": False, "device": "cpu"}
    ready = MultVAE(**options).fit(split.train, split.validation)
    ready.recommend(split.test.history), EASE().fit(split.train)  # what is imported at first use is imported now
    aerec.evaluate(ready, split.test)
    walks = {
        "MultVAE.fit": lambda: MultVAE(**options).fit(split.train),
        "MultVAE.fit, validation": lambda: MultVAE(**options).fit(split.train, split.validation),
        "MultVAE.recommend": lambda: ready.recommend(split.test.history),
        "EASE.fit": lambda: EASE().fit(split.train),
        "evaluate": lambda: aerec.evaluate(ready, split.test),
    }
    classes = {}
    for name in MODELS:
        model = ALS if name == "ALS" else getattr(room, name)
        classes[name] = sum(kind.__module__.startswith("aerec") for kind in model.__mro__)
    return {"walks": {name: walked(walk, root) for name, walk in walks.items()}, "classes": classes}


def main() -> None:
    """Count and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="*", type=Path, default=[Path(__file__).parents[2] / "src"])
    parser.add_argument("--names", nargs="*", default=[], help="of the versions, for the table")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--list", action="store_true", help="print what each walk passes through")
    parser.add_argument("--count", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.count:
        print(json.dumps(count()))
        return
    versions = []
    for source in arguments.sources:
        environment = {**os.environ, "PYTHONPATH": str(source.resolve()), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, __file__, "--count"]
        output = subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout
        versions.append(json.loads(output.splitlines()[-1]))
    if arguments.list:
        for version in versions:
            print("\n".join(f"{walk}: {file}: {name}" for walk in WALKS for file, name in version["walks"][walk]))
        return
    names = arguments.names or [str(source) for source in arguments.sources]
    table = [
        "Files and functions of aerec that a walk passes through, on the sample, and classes of ours in `__mro__`.",
        "Made by `benchmarks/structure/count_walks.py`.",
        "",
        f"| files / functions | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    for walk in WALKS:
        passed = [version["walks"][walk] for version in versions]
        cells = [f"{len({file for file, _ in functions})} / {len(functions)}" for functions in passed]
        table.append(f"| {walk} | {' | '.join(cells)} |")
    table += ["", f"| classes | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    table += [f"| {name} | {' | '.join(str(version['classes'][name]) for version in versions)} |" for name in MODELS]
    text = "\n".join(table) + "\n"
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
