"""The machine and the versions that a result was made with."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from aerec._version import __version__

_PACKAGES = ("torch", "numpy", "scipy", "pandas", "scikit-learn", "safetensors", "typer", "rich")
_CPUINFO = Path("/proc/cpuinfo")
# Those that decide how fast matrix products are, of x86 and of ARM.
_INSTRUCTION_SETS = (
    *("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8"),
    *("asimd", "neon", "bf16", "sve", "sve2", "sme"),
)


def package_versions(packages: tuple[str, ...] = _PACKAGES) -> dict[str, str]:
    """Return the versions of aerec, Python, and those of `packages` that are installed."""
    versions = {"aerec": __version__, "python": platform.python_version()}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # noqa: PERF203
            continue
    return versions


def describe_machine() -> dict[str, Any]:
    """Return what a timing depends on: system, processor, cores, memory (bytes), instruction sets.

    Returns
    -------
    dict
        Keys system, processor, cores (those this process may use), memory, instruction_sets; what cannot be found
        out is None or empty.
    """
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": cpu_cores(),
        "memory": total_memory(),
        "instruction_sets": instruction_sets(),
    }


def cpu_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def total_memory() -> int | None:
    """Bytes of memory in the machine; None where unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def instruction_sets() -> list[str]:
    """Return the vector instruction sets of the processor that matter here; empty where unknown."""
    flags = _cpuinfo("flags") or _cpuinfo("Features") or _sysctl("machdep.cpu.features", "machdep.cpu.leaf7_features")
    there = set(flags.lower().replace(".", "_").split())
    return [name for name in _INSTRUCTION_SETS if name in there]


def _processor() -> str:
    model_name = _cpuinfo("model name") or _sysctl("machdep.cpu.brand_string") or platform.processor()
    return model_name or platform.machine()


def _cpuinfo(field: str) -> str:
    try:
        match = re.search(rf"^{field}\s*: (.*)$", _CPUINFO.read_text(), re.MULTILINE)
    except OSError:
        return ""
    return match.group(1).strip() if match else ""


def _sysctl(*names: str) -> str:
    if platform.system() != "Darwin":
        return ""
    done = subprocess.run(["/usr/sbin/sysctl", "-n", *names], capture_output=True, text=True, check=False)
    return done.stdout.replace("\n", " ").strip()
