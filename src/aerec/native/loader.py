"""The compiled library: whether there is one, and which of its instruction sets is used."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from aerec.native.build import LIBRARY, fingerprint

SWITCH = "AEREC_NATIVE"
"""The environment variable that turns the kernels off where it is 0."""

_TO_BUILD = "python -m aerec.native.build compiles them"


@cache
def is_used() -> bool:
    """Whether the kernels are there and not turned off."""
    return _loaded()[0] is not None


def describe() -> str:
    """Return in a few words what is used, or why nothing is and what to do."""
    return _loaded()[1]


@cache
def function(name: str) -> Callable[..., int]:
    """Return a kernel, for the best instruction set that this processor has."""
    library, _ = _loaded()
    assert library is not None
    kernel: Any = library[f"aerec_{name}_{_instruction_set()}"]
    kernel.restype = ctypes.c_int64
    return kernel  # type: ignore[no-any-return]


@cache
def _loaded() -> tuple[ctypes.CDLL | None, str]:
    """Return the library and what `describe` says."""
    if os.environ.get(SWITCH) == "0":
        return None, f"no, {SWITCH}=0 turns them off"
    if not LIBRARY.is_file():
        return None, f"no, they were not compiled: {_TO_BUILD}"
    try:
        library = ctypes.CDLL(str(LIBRARY))
        isa = _instruction_set()
        made_of = ctypes.c_char_p(ctypes.addressof(ctypes.c_char.in_dll(library, f"aerec_fingerprint_{isa}"))).value
    except (OSError, ValueError) as error:
        return None, f"no, they cannot be loaded ({error}): {_TO_BUILD}"
    if made_of != fingerprint().encode():
        return None, f"no, they were compiled from another version: {_TO_BUILD}"
    return library, f"yes, {isa}"


def _instruction_set() -> str:
    """Return the ending of the kernels that use the instruction set that PyTorch uses."""
    capability = torch.backends.cpu.get_cpu_capability()
    for isa in ("avx512", "avx2"):
        if capability.lower().startswith(isa):
            return isa
    return "generic"
