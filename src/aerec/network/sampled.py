"""The loss over a sample of the items, for catalogues so large that a step over all of them is too much."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from aerec.likelihood import Likelihood
from aerec.network.batches import Pattern, SparseBatch
from aerec.network.losses import all_entries_loss
from aerec.network.products import Scratch


def sampled_loss(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    batch: SparseBatch,
    likelihood: Likelihood,
    n_negatives: int,
    generator: torch.Generator,
    half: bool = False,
    scratch: Scratch | None = None,
) -> Tensor:
    r"""Estimate `all_entries_loss` from the items that the batch holds and `n_negatives` of the others.

    The items P that some row of the batch holds count as they are. Of the n others, m are drawn without replacement,
    each as likely as any, and stand for n/m items each:

    .. math:: \sum_j \exp l_j \approx \sum_{j \in P} \exp l_j + \sum_{j \in S} \exp(l_j + \log(n/m)),

    and likewise for A(l) of the likelihoods that are sums over items. Both sums are unbiased; the multinomial loss, a
    logarithm of one, is consistent: its bias falls as 1/m. With m ≥ n all items are there and the loss is exact.
    Popular items are mostly in P, so that what is drawn is the tail.

    The cost does not depend on the number of items, and the gradients of `weight` and `bias` are sparse: pair them
    with an optimiser that leaves other rows alone (`LazyAdam`).

    Parameters
    ----------
    hidden, weight, bias, batch, likelihood, half, scratch
        As in `all_entries_loss`.
    n_negatives : int
        m, at least 1; the same items for all rows.
    generator : torch.Generator
        Draws them.

    References
    ----------
    Jean, Cho, Memisevic, Bengio (2015). On using very large target vocabulary for neural machine translation. ACL.
    """
    n_items = len(weight)
    own, places = torch.unique(batch.pattern.columns, return_inverse=True)
    others = _others(own, n_items, n_negatives, generator)
    stands_for = (n_items - len(own)) / max(len(others), 1)
    rows_of_own, bias_of_own = _take(weight, bias, own)
    rows_of_others, bias_of_others = _take(weight, bias, others)
    if likelihood.name == "multinomial":  # one logsumexp over both: the weight goes into the exponent
        seen = replace(batch, pattern=batch.pattern.renumbered(places, len(own) + len(others)))
        shift = math.log(stands_for) if len(others) else 0.0
        joined = torch.cat([rows_of_own, rows_of_others]), torch.cat([bias_of_own, bias_of_others + shift])
        return all_entries_loss(hidden, *joined, seen, likelihood, half, scratch)
    seen = replace(batch, pattern=batch.pattern.renumbered(places, len(own)))
    loss = all_entries_loss(hidden, rows_of_own, bias_of_own, seen, likelihood, half, scratch)
    if len(others) == 0:
        return loss
    nothing = Pattern(torch.zeros_like(batch.pattern.starts), batch.pattern.columns[:0], len(others))
    none = SparseBatch(nothing, batch.values[:0], batch.row_numbers)
    return loss + stands_for * all_entries_loss(hidden, rows_of_others, bias_of_others, none, likelihood, half, scratch)


def _others(own: Tensor, n_items: int, n_wanted: int, generator: torch.Generator) -> Tensor:
    """Draw `n_wanted` items that are not among `own` (ascending) without replacement; all where there are fewer.

    The r-th item that is not in `own` is r plus the number of own items before it: drawing ranks needs no list of all.
    """
    n_others = n_items - len(own)
    if n_wanted >= n_others:
        ranks = torch.arange(n_others, device=own.device)
    else:
        ranks = torch.empty(0, dtype=torch.int64, device=own.device)
        while len(ranks) < n_wanted:  # repeated draws are drawn again; all distinct orders stay equally likely
            more = torch.randint(n_others, (n_wanted - len(ranks),), generator=generator, device=own.device)
            ranks = torch.unique(torch.cat([ranks, more]))
    before = own - torch.arange(len(own), device=own.device)  # others before each own item
    return ranks + torch.searchsorted(before, ranks, right=True)


def _take(weight: Tensor, bias: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``weight[items]`` and ``bias[items]``, with sparse gradients."""
    return torch.nn.functional.embedding(items, weight, sparse=True), bias.gather(0, items, sparse_grad=True)
