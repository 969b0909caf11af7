"""Compile the kernels with the compiler of the system: ``python -m aerec.native.build`` does it in place.

Only the standard library: the build of the wheel runs this file by itself.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().with_name("kernels.c")
LIBRARY = SOURCE.with_name("libaerec.so")
_OPTIONS = ("-std=gnu11", "-O3", "-fPIC", "-fvisibility=hidden")
_LOOPS = ("-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd")  # what vector instructions need, no result depends
_AVX512 = ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512")
_X86 = {"generic": (), "avx2": ("-mavx2", "-mfma"), "avx512": ("-mfma", *_AVX512)}


class CompileError(Exception):
    """There is no compiler, or it failed; the text is one line that says which."""


def fingerprint() -> str:
    """Return what tells the source from other versions of it: the library holds it."""
    return hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]


def compile_kernels(into: Path = LIBRARY) -> Path:
    """Compile the kernels for each instruction set of this kind of processor; return the path of the library.

    The compiler is ``$CC``, by default ``cc``. A file that is there already is replaced at once, never half.

    Raises
    ------
    CompileError
    """
    compiler = shlex.split(os.environ.get("CC") or "cc")
    if os.name != "posix" or not compiler or shutil.which(compiler[0]) is None:
        raise CompileError(f"there is no C compiler {' '.join(compiler) or 'cc'!r} here; CC= names another")
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    with tempfile.TemporaryDirectory(dir=into.parent) as folder:
        objects = []
        for isa, options in (_X86 if x86 else {"generic": ()}).items():
            objects.append(f"{folder}/{isa}.o")
            named = f"-DISA={isa}", f'-DFINGERPRINT="{fingerprint()}"'
            _run([*compiler, *_OPTIONS, *_LOOPS, *options, *named, "-c", str(SOURCE), "-o", objects[-1]])
        # macOS resolves names at load time only where it is told to; elsewhere that is the rule
        lookup = ["-Wl,-undefined,dynamic_lookup"] if sys.platform == "darwin" else []
        _run([*compiler, "-shared", *lookup, *objects, "-o", f"{folder}/libaerec.so", "-lm"])
        Path(folder, "libaerec.so").replace(into)
    return into


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise CompileError(f"{command[0]} failed: {lines[-1]}")


if __name__ == "__main__":
    try:
        sys.stdout.write(f"compiled {compile_kernels()}\n")
    except (CompileError, OSError) as error:
        sys.exit(f"not compiled: {error}")
