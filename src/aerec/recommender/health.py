"""Signs that a model has learned little: one list for everybody, an early end, a code or factors that vanished."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.errors import warn_caller
from aerec.recommender.scorer import Scorer, UserBlock
from aerec.topk import top_k

_USERS_COMPARED = 100  # So many lists show whether all users get the same one
_FEWEST_USERS = 20
_LENGTH = 10  # Length of the lists that are compared, a tenth of the items at most
_COMMON = 0.9  # Lists with this share in common are the same: drawn weights disturb a few items
_VANISHED = 1e-3  # A factor has vanished below this share of the largest singular value
_APART, _FAR = 100, 12  # Largest ratio of the spreads of columns, and largest size, that raise no warning
_RARE = 0.1  # Columns of which less is not 0, such as pixels of an edge, are not looked at
_CONSTANT = 1e-6  # A column that varies by less of its size is constant
_FEW = 0.25  # There is a warning where no more than this share of the factors is left


def warn_of_one_list(model: Any, users: UserBlock) -> None:
    """Warn where a fitted model, which is to rank for each user, gives everybody one list.

    Parameters
    ----------
    model : Recommender
    users : UserBlock
        Up to 100 of them are compared.
    """
    if not model._personal or users.n_users == 0:
        return
    some = users.take(np.unique(np.linspace(0, users.n_users - 1, _USERS_COMPARED).astype(np.int64)))
    left_out = some.left_out if some.leaves_out_history else [some.history, *some.left_out]
    share = share_of_common_lists(model.scorer_, replace(some, left_out=left_out, barred=None))
    if share >= _COMMON:
        words = {"epochs": "epochs=", "batch_size": "a smaller batch_size="}
        steps = [word for name, word in words.items() if name in model.get_params(deep=False)]
        own = not type(model).__module__.startswith("aerec.")  # whoever wrote it may want it so
        warn_caller(
            f"{type(model).__name__} gives nearly everybody the same list, {100 * share:.0f} % of it is shared: it has "
            "learned little of tastes, or there is little of them in the data. Compare it with Popularity and EASE"
            + f"; more steps ({', '.join(steps)}) or weaker penalties may help" * bool(steps)
            + "; a class that is to give everybody one list sets _personal = False" * own
        )


def warn_of_early_end(name: str, epoch: int) -> None:
    """Warn that the last of the epochs that the model called `name` was given is the best one."""
    warn_caller(
        f"the best epoch of {name} on the validation data is the last one, {epoch}: it was still getting better; raise "
        "epochs"
    )


def warn_of_collapsed_code(name: str, kl: float, n_units: int, kl_weight: float) -> None:
    """Warn that the code of the variational autoencoder called `name` says next to nothing of a row.

    Parameters
    ----------
    name : str
    kl : float
        Its KL from the prior, summed over the units.
    n_units : int
    kl_weight : float
    """
    warn_caller(
        f"the code of {name} has collapsed to its prior: KL is {kl:.2g} for {n_units} units, so that it says next to "
        f"nothing of a row; lower kl_weight, which is {kl_weight:g}, or reach it in more kl_annealing_steps"
    )


def warn_of_scales(name: str, X: NDArray[np.float32], columns: pd.Index[Any] | None) -> None:
    """Warn where the squared error of the model called `name` is that of few columns of a dense array, or tiny.

    Parameters
    ----------
    name : str
    X : ndarray of shape (n_rows, n_columns)
    columns : Index, optional
        Their names.
    """
    mean = X.mean(axis=0, dtype=np.float64)
    sizes = np.sqrt(np.einsum("ij,ij->j", X, X, dtype=np.float64) / len(X))
    spread = np.sqrt((sizes**2 - mean**2).clip(min=0))
    varies = np.flatnonzero((spread > _CONSTANT * sizes) & (np.count_nonzero(X, axis=0) > _RARE * len(X)))
    if not len(varies):
        return
    least, most, largest = (varies[by[varies].argmax()] for by in (-spread, spread, sizes))
    names = np.arange(X.shape[1]) if columns is None else columns
    if spread[most] > _APART * spread[least]:
        what = f"column {names[least]} varies by {spread[least]:.2g} and {names[most]} by {spread[most]:.2g}: "
        what += "the cost is of the latter"
    elif sizes[largest] > _FAR:
        what = f"the size of column {names[largest]} is {sizes[largest]:.2g}, outputs of a new network are of size 1"
    elif spread[most] < 1 / _FAR:
        what = f"no column varies by more than {spread[most]:.2g}, outputs of a new network are of size 1"
    else:
        return
    warn_caller(
        f"the columns of the dense data given to {name} are not scaled: {what}; standardise them "
        "(sklearn.preprocessing.StandardScaler)"
    )


def share_of_common_lists(scorer: Scorer, users: UserBlock) -> float:
    """Return how much of their lists the users have in common.

    The lists are of ten items, or a tenth of all. They are compared with those by the scores of someone without a
    history and of three of the users, of which the most alike count; the items that a user is not to get are left out.

    Returns
    -------
    float
        From 0 to 1; 0 where there are too few users or items to tell.
    """
    length = min(_LENGTH, scorer.n_items // 10)
    if length == 0 or users.n_users < _FEWEST_USERS:
        return 0.0
    own, _ = scorer.rank(users, length)
    left_out = sum((abs(matrix) for matrix in users.left_out), start=sp.csr_array(users.history.shape))
    most = min(scorer.n_items, length + int(np.diff(left_out.indptr).max(initial=0)))
    three = users.take(np.linspace(0, users.n_users - 1, 5).astype(np.int64)[1:-1])
    blocks = UserBlock.without_history(1, scorer.n_items), three
    shares: list[float] = []
    for best in np.concatenate([top_k(scorer.score(block), most)[0] for block in blocks]):
        allowed = left_out[:, best].toarray() == 0
        listed = allowed & (allowed.cumsum(axis=1) <= length)
        place = np.full(scorer.n_items, -1)
        place[best] = np.arange(most)
        common = np.take_along_axis(listed, place[own], axis=1) & (place[own] >= 0) & (own >= 0)
        shares.append(float(common.sum()) / max(int((own >= 0).sum()), 1))
    return max(shares)


def singular_values(users: NDArray[np.floating[Any]], items: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the singular values of users · itemsᵀ, the largest first, without making that product.

    Parameters
    ----------
    users : ndarray of shape (n_users, n_factors)
    items : ndarray of shape (n_items, n_factors)
    """
    of_users, of_items = (np.linalg.qr(np.asarray(factors, dtype=np.float64)).R for factors in (users, items))
    return np.linalg.svd(of_users @ of_items.T, compute_uv=False)


def warn_of_vanished_factors(name: str, sizes: NDArray[np.float64], advice: str, *, automatic: bool = False) -> None:
    """Warn where most of the factors of the model called `name` are of no size.

    Parameters
    ----------
    name : str
    sizes : ndarray of shape (n_factors,)
        Singular values of what the factors make, or others that say how large each is.
    advice : str
        What to do.
    automatic : bool, default False
        The penalty follows the data, and leaves as many factors as they bear: no more than one is too few then.
    """
    alive = int(np.count_nonzero(sizes > _VANISHED * sizes.max(initial=0.0)))
    if alive <= (min(1, len(sizes) - 1) if automatic else _FEW * len(sizes)):
        warn_caller(f"{len(sizes) - alive} of the {len(sizes)} factors of {name} have vanished: {advice}")
