"""What hyper-parameters a search may choose from: three kinds of dimension, and a default space for every model.

The default spaces are of about the same width: one to seven parameters, whose ranges hold what the papers and the
benchmarks of aerec found best on data sets from a hundred thousand to twenty million ratings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypeAlias

from sklearn.base import clone

from aerec.errors import names_like
from aerec.noise import GaussianNoise, MaskingNoise
from aerec.parameters import check_parameters
from aerec.recommender.base import Recommender
from aerec.sparsity import KLSparsity, L1Sparsity, TopKSparsity

__all__ = ["SPACES", "Choice", "Dimension", "Number", "Space", "Whole", "check_space"]


@dataclass(frozen=True)
class Choice:
    """One of several values, of any kind that a model takes: words, layer sizes, ``MaskingNoise(0.5)``.

    Parameters
    ----------
    values : tuple
        At least one, none twice; a list is taken as well.

    Raises
    ------
    ValueError
        If there is no value, or one stands twice.

    Examples
    --------
    >>> from aerec.noise import MaskingNoise
    >>> Choice([None, MaskingNoise(0.5)]).ends()
    (None, MaskingNoise(p=0.5, rescale=True))
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.values, tuple | list) or not self.values:
            raise ValueError(f"Choice takes a list of at least one value, got {self.values!r}")
        object.__setattr__(self, "values", tuple(self.values))
        names = [repr(one) for one in self.values]
        if twice := [one for one in names if names.count(one) > 1]:
            raise ValueError(f"Choice has {twice[0]} twice; give each value once")

    def ends(self) -> tuple[Any, ...]:
        """Return the values that show whether a model takes this dimension: all of them."""
        return self.values

    def suggest(self, trial: Any, name: str) -> Any:
        """Return the value that an Optuna trial draws; a study stores values by their text."""
        return self.read(trial.suggest_categorical(name, [repr(one) for one in self.values]))

    def read(self, stored: Any) -> Any:
        """Return the value that stands for what a study has stored."""
        return next(one for one in self.values if repr(one) == stored)


@dataclass(frozen=True)
class Number:
    """A real number from `low` to `high`.

    Parameters
    ----------
    low, high : float
        Both included.
    log : bool, default False
        Draw evenly on the logarithmic scale; `low` is above 0 then.

    Raises
    ------
    ValueError
        If the two are not finite numbers with `low` < `high`.

    Examples
    --------
    >>> Number(1e-4, 1e-1, log=True).ends()
    (0.0001, 0.1)
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self, Real, "finite numbers")

    def ends(self) -> tuple[float, float]:
        """Return the lowest and the highest value."""
        return self.low, self.high

    def suggest(self, trial: Any, name: str) -> float:
        """Return the value that an Optuna trial draws."""
        return self.read(trial.suggest_float(name, self.low, self.high, log=self.log))

    def read(self, stored: Any) -> float:
        """Return what a study has stored, as it is."""
        return float(stored)


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`.

    Parameters
    ----------
    low, high : int
        Both included.
    log : bool, default False
        Draw evenly on the logarithmic scale; `low` is at least 1 then.

    Raises
    ------
    ValueError
        If the two are not whole numbers with `low` < `high`.

    Examples
    --------
    >>> Whole(10, 500, log=True).ends()
    (10, 500)
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self, Integral, "whole numbers")

    def ends(self) -> tuple[int, int]:
        """Return the lowest and the highest value."""
        return self.low, self.high

    def suggest(self, trial: Any, name: str) -> int:
        """Return the value that an Optuna trial draws."""
        return self.read(trial.suggest_int(name, self.low, self.high, log=self.log))

    def read(self, stored: Any) -> int:
        """Return what a study has stored, as it is."""
        return int(stored)


def _check_range(dimension: Number | Whole, kind: type, expected: str) -> None:
    bounds = dimension.low, dimension.high
    fits = all(isinstance(one, kind) and not isinstance(one, bool) and math.isfinite(one) for one in bounds)
    if not fits or not dimension.low < dimension.high:
        raise ValueError(f"{type(dimension).__name__} goes from low to high, {expected} with low < high; got {bounds}")
    if dimension.log and dimension.low <= 0:
        raise ValueError(f"{dimension}: on the logarithmic scale low must be above 0")


Dimension: TypeAlias = Choice | Number | Whole
Space: TypeAlias = Mapping[str, Dimension]
"""Name of a hyper-parameter → what it may be."""


def check_space(space: Mapping[str, Any], model: Recommender) -> None:
    """Refuse a space that is empty, or of which `model` does not take every end.

    Raises
    ------
    ValueError
        Says which parameter does not fit, and why.

    Examples
    --------
    >>> from aerec.models import EASE
    >>> check_space({}, EASE())
    Traceback (most recent call last):
    ValueError: the space of EASE is empty: there is nothing to tune
    """
    name, known = type(model).__name__, model.get_params(deep=False)
    if not space:
        raise ValueError(f"the space of {name} is empty: there is nothing to tune")
    for parameter, dimension in space.items():
        if parameter not in known:
            raise ValueError(f"space: {name} has no parameter {parameter!r}; {names_like(parameter, known)}")
        if not isinstance(dimension, Choice | Number | Whole):
            raise ValueError(f"space: {parameter!r} must be a Choice, a Number or a Whole, got {dimension!r}")
        for value in dimension.ends():
            try:
                check_parameters(clone(model).set_params(**{parameter: value}))
            except ValueError as error:  # noqa: PERF203
                raise ValueError(f"space: {parameter!r} does not fit: {error}") from None


_MASKING = Choice((None, *(MaskingNoise(p) for p in (0.2, 0.35, 0.5, 0.65))))
_NEURAL: dict[str, Dimension] = {
    "noise": _MASKING,
    "learning_rate": Number(3e-4, 5e-3, log=True),
    "weight_decay": Number(1e-7, 3e-3, log=True),
    "batch_size": Choice((128, 256, 500)),
}
_SIZES = Choice((200, 400, 600, (600, 200)))
_NEIGHBOURS: dict[str, Dimension] = {
    "k": Whole(10, 500, log=True),
    "shrinkage": Number(0.0, 300.0),
    "similarity": Choice(("cosine", "jaccard")),
}

SPACES: dict[str, Space] = {
    "popularity": {},
    "item-knn": _NEIGHBOURS,
    "user-knn": _NEIGHBOURS,
    "rp3-beta": {
        "alpha": Number(0.5, 1.5),
        "beta": Number(0.0, 1.0),
        "k": Whole(50, 1000, log=True),
    },
    "pure-svd": {"n_factors": Whole(8, 256, log=True)},
    "bspm": {
        "n_factors": Whole(32, 512, log=True),
        "weight": Number(0.0, 1.0),
        "sharpening": Number(0.0, 3.0),
        "alpha": Number(0.3, 0.7),
    },
    "nmf": {
        "n_factors": Whole(8, 128, log=True),
        "l2": Number(0.1, 30.0, log=True),
        "epochs": Whole(30, 200),
    },
    "slim": {"l1": Number(0.1, 30.0, log=True), "l2": Number(3.0, 1000.0, log=True)},
    "als": {
        "n_factors": Whole(16, 256, log=True),
        "l2": Number(0.1, 300.0, log=True),
        "alpha": Number(0.3, 40.0, log=True),
        "epochs": Whole(5, 30),
    },
    "bpr": {
        "n_factors": Whole(16, 256, log=True),
        "l2": Number(1e-3, 0.1, log=True),
        "learning_rate": Number(5e-3, 0.2, log=True),
        "epochs": Whole(30, 200),
    },
    "bias": {"l2_user": Number(0.5, 50.0, log=True), "l2_item": Number(0.5, 50.0, log=True)},
    "biased-mf": {
        "n_factors": Whole(4, 128, log=True),
        "l2": Number(0.1, 30.0, log=True),
        "l2_bias": Number(0.1, 30.0, log=True),
        "count_power": Number(0.0, 1.0),
        "epochs": Whole(5, 40),
    },
    "ease": {"l2": Number(5.0, 10_000.0, log=True), "item_norm": Number(0.0, 0.5), "diagonal": Number(0.0, 0.5)},
    "edlae": {
        "l2": Number(5.0, 5000.0, log=True),
        "dropout": Number(0.05, 0.75),
        "item_norm": Number(0.0, 0.5),
        "user_norm": Number(0.0, 0.5),
    },
    "low-rank-edlae": {
        "l2": Number(10.0, 3000.0, log=True),
        "dropout": Number(0.05, 0.75),
        "n_factors": Whole(32, 512, log=True),
    },
    "sparse-ease": {"l2": Number(10.0, 5000.0, log=True), "n_neighbors": Whole(20, 400, log=True)},
    "elsa": {
        "n_factors": Whole(32, 512, log=True),
        "learning_rate": Number(0.01, 0.5, log=True),
        "batch_size": Choice((128, 256, 500)),
    },
    "blend": {"steps": Whole(5, 40)},
    "rating-blend": {"weights": Choice(((0.9, 0.1), (0.75, 0.25), (0.6, 0.4)))},
    "autoencoder": {
        **_NEURAL,
        "hidden": _SIZES,
        "noise": Choice((None, MaskingNoise(0.2), MaskingNoise(0.5), GaussianNoise(0.1), GaussianNoise(0.3))),
        "sparsity": Choice((None, L1Sparsity(0.001), L1Sparsity(0.01), TopKSparsity(32), TopKSparsity(64))),
    },
    "denoising-autoencoder": {
        **_NEURAL,
        "hidden": _SIZES,
        "noise": Choice(
            (MaskingNoise(0.2), MaskingNoise(0.35), MaskingNoise(0.5), MaskingNoise(0.65), GaussianNoise(0.1))
        ),
        "activation": Choice(("tanh", "sigmoid")),
    },
    "sparse-autoencoder": {
        **{name: one for name, one in _NEURAL.items() if name != "noise"},
        "hidden": _SIZES,
        "sparsity": Choice(
            (KLSparsity(0.05, 0.1), KLSparsity(0.05, 1.0), KLSparsity(0.2, 0.1), L1Sparsity(0.01), TopKSparsity(32))
        ),
        "activation": Choice(("tanh", "sigmoid")),
    },
    "autorec": {
        "hidden": Whole(50, 500, log=True),
        "learning_rate": Number(3e-4, 5e-3, log=True),
        "weight_decay": Number(1e-3, 0.3, log=True),
        "noise": Choice((None, MaskingNoise(0.2), MaskingNoise(0.5))),
        "biases": Choice((False, True)),
    },
    "kernel-autorec": {
        "hidden": Whole(100, 600, log=True),
        "learning_rate": Number(1e-3, 5e-3, log=True),
        "weight_decay": Number(0.01, 0.3, log=True),
        "kernel_l2": Number(1e-7, 1e-4, log=True),
        "kernel_spread": Number(0.03, 0.3, log=True),
        "noise": Choice((MaskingNoise(0.4), MaskingNoise(0.5), MaskingNoise(0.6), MaskingNoise(0.7))),
        "epochs": Whole(40, 120),
    },
    "cdae": {**_NEURAL, "hidden": _SIZES, "likelihood": Choice(("multinomial", "bernoulli"))},
    "mult-dae": {**_NEURAL, "hidden": _SIZES, "activation": Choice(("tanh", "swish"))},
    "mult-vae": {
        **_NEURAL,
        "hidden": _SIZES,
        "kl_weight": Number(0.03, 1.0, log=True),
        "kl_annealing_steps": Choice((0, 1000, 5000)),
    },
    "rec-vae": {
        **_NEURAL,
        "hidden": Choice(((300, 100), (600, 200), (900, 300))),
        "kl_weight": Number(1e-3, 0.02, log=True),
    },
}
"""Command-line name of a model → its default space; a model without hyper-parameters has an empty one."""
