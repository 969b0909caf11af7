"""The weights of a network in the form that a saved model holds, and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch.overrides import TorchFunctionMode

from aerec.network.device import with_gradients
from aerec.network.network import Network

_PREFIX = "network."


def network_tensors(network: Network) -> dict[str, NDArray[Any]]:
    """Return all weights by name."""
    return {f"{_PREFIX}{name}": value.cpu().numpy() for name, value in network.state_dict().items()}


def restored_network(build: Callable[[], Network], tensors: Mapping[str, NDArray[Any]]) -> Network:
    """Return the network that `build` makes, with the weights in `tensors`.

    Raises
    ------
    ValueError
        If `build` asks for a network that is much larger than the one that was saved.
    """
    saved = {name[len(_PREFIX) :]: value for name, value in tensors.items() if name.startswith(_PREFIX)}
    with with_gradients():  # as in a fit
        with _Budget(sum(value.size for value in saved.values())):
            network = build()
        network.load_state_dict({name: torch.tensor(value) for name, value in saved.items()})
    return network


class _Budget(TorchFunctionMode):
    """Lets as many numbers be allocated as a saved network has, so that a small file cannot claim a large one."""

    def __init__(self, n_saved: int) -> None:
        super().__init__()
        self._left = 4 * n_saved + 10_000  # initial values are drawn beside the weights; a prior may be a copy of them

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in ("empty", "rand", "ones", "zeros"):
            self._left -= math.prod(args[0] if args and isinstance(args[0], tuple | list) else args)
            if self._left < 0:
                raise ValueError("its parameters describe a larger network than the one that is saved")
        return func(*args, **(kwargs or {}))
