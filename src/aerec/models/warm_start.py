"""A network that begins where an earlier one ended, over other items and users: their rows are matched by id."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aerec.errors import DataError, warn_caller
from aerec.ids import examples
from aerec.network.network import Network

logger = logging.getLogger(__name__)

_Module = TypeVar("_Module", bound=nn.Module)

_ITEMS, _USERS = 61, 67  # sizes of two small networks whose shapes are compared


@dataclass(frozen=True)
class LearnedBefore:
    """What an earlier fit has learned.

    Attributes
    ----------
    network : Network
    items, users : pandas.Index or None
        Whose rows its parameters have; None where they are known by their number alone.
    features : pandas.Index or None
        Names of the features that items have.
    """

    network: Network
    items: pd.Index[Any] | None
    users: pd.Index[Any] | None
    features: pd.Index[Any] | None = None

    @torch.no_grad()
    def carry_over(self, after: LearnedBefore, build: Callable[[int, int], nn.Module], model: str) -> None:
        """Copy what was learned into the network of `after`; rows of new items and users stay as they are.

        Parameters
        ----------
        after : LearnedBefore
            A fresh network, with its items and users.
        build : callable
            Makes a network for a number of items and of users.
        model : str
            Its name, for messages.

        Raises
        ------
        DataError
            If only one of the two fits knows the ids of its items.
        ValueError
            If the networks differ in more than their items and users.
        """
        sizes, sizes_after = self.network.architecture, after.network.architecture
        n_items, n_users, n_features = sizes_after.n_inputs, sizes_after.n_users, sizes_after.n_features
        items = matched(self.items, after.items, sizes.n_inputs, n_items, "items")
        users = matched(self.users, after.users, sizes.n_users, n_users, "users") if n_users else None
        known: dict[str | None, Any] = {"items": items, "users": users}
        axes, learned = variable_axes(build, n_users > 0), self.network.state_dict()
        if sizes.n_features and n_features:
            known["features"] = matched(self.features, after.features, sizes.n_features, n_features, "features")
            axes["feature_weights"] = ("features", None)
        for name, values in after.network.state_dict().items():
            if (
                bool(sizes.n_features) != bool(n_features)
                or name not in learned
                or not _fits(learned[name], values, axes[name])
            ):
                raise ValueError(
                    f"the network of this {model} was made with other parameters than those of now: set them back to "
                    "go on from it, or fit with warm_start=False"
                )
            _copy_rows(learned[name].to(values), values, axes[name], known)
        logger.info(
            "%s goes on from %s known and begins with %s new items%s",
            model,
            f"{len(items[0]):,}",
            f"{n_items - len(items[0]):,}",
            "" if users is None else f", {len(users[0]):,} known and {n_users - len(users[0]):,} new users",
        )


def matched(
    before: pd.Index[Any] | None, after: pd.Index[Any] | None, n_before: int, n_after: int, kind: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which rows of before stay and where they are after; by number where neither has ids."""
    if (before is None) != (after is None):
        has, lacks = ("first", "second") if after is None else ("second", "first")
        raise DataError(
            f"warm_start matches {kind} by id: the {has} fit was on an Interactions, the {lacks} on a matrix; "
            "give both the same way"
        )
    if before is None or after is None:
        both = np.arange(min(n_before, n_after))
        return both, both
    rows = before.get_indexer(after)
    where = np.flatnonzero(rows >= 0)
    if kind == "items" and len(before) and len(after) and not len(where):
        warn_caller(
            f"warm_start: none of the {kind} was in the training before: they are such as {examples(after)}, those of "
            f"before such as {examples(before)}"
        )
    return rows[where].astype(np.int64), where


@torch.no_grad()
def with_new_rows(
    network: _Module,
    build: Callable[[int, int], _Module],
    extended: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    n_items: int,
    n_users: int,
) -> _Module:
    """Return a network of more items, with what a smaller one has learned.

    Parameters
    ----------
    network : Module
    build : callable
        Makes a network for a number of items and of users.
    extended : callable
        Makes an array with a row for each of `n_items` of one with a row for each item of `network`.
    n_items, n_users : int
    """
    device = next(network.parameters()).device
    axes, learned = variable_axes(build, n_users > 0), network.state_dict()
    larger = build(n_items, n_users).to(device)
    for name, values in larger.state_dict().items():
        of_items = axes[name][:1] == ("items",)
        values.copy_(torch.from_numpy(extended(learned[name].cpu().numpy())) if of_items else learned[name])
    return larger


def variable_axes(build: Callable[[int, int], nn.Module], has_users: bool) -> dict[str, tuple[str | None, ...]]:
    """Say of each axis of each parameter whether it goes over items, users or neither: by making small networks."""
    users = _USERS if has_users else 0
    shapes, wider, longer = (
        {name: values.shape for name, values in build(n_items, n_users).state_dict().items()}
        for n_items, n_users in ((_ITEMS, users), (_ITEMS + 1, users), (_ITEMS, users + bool(users)))
    )
    return {
        name: tuple(
            "items" if wider[name][axis] != size else "users" if longer[name][axis] != size else None
            for axis, size in enumerate(shape)
        )
        for name, shape in shapes.items()
    }


def _fits(before: Tensor, after: Tensor, axes: tuple[str | None, ...]) -> bool:
    return before.ndim == after.ndim and all(
        size == size_after
        for size, size_after, kind in zip(before.shape, after.shape, axes, strict=True)
        if kind is None
    )


def _copy_rows(
    source: Tensor,
    into: Tensor,
    axes: tuple[str | None, ...],
    known: Mapping[str | None, tuple[NDArray[np.int64], NDArray[np.int64]] | None],
) -> None:
    axis = next((at for at, kind in enumerate(axes) if kind is not None), None)
    if axis is None:
        into.copy_(source)
        return
    pair = known[axes[axis]]
    assert pair is not None
    stays, where = (torch.from_numpy(rows).to(into.device) for rows in pair)
    into.index_copy_(axis, where, source.index_select(axis, stays))
