"""Noise on the input of an autoencoder, so that only frequent structure can be reconstructed.

Noise is drawn anew for every batch, only in training, from a generator that the model's seed controls.

References
----------
Vincent, Larochelle, Lajoie, Bengio, Manzagol (2010). Stacked denoising autoencoders. JMLR 11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from aerec.parameters import is_number

__all__ = ["GaussianNoise", "MaskingNoise"]

_RIDGE = 1e-5  # share of each unit's variance: more than float32 rounding takes from WᵀW when columns nearly agree


@dataclass(frozen=True)
class MaskingNoise:
    r"""Set each entry to 0 with probability `p`, independently: x̃ = m ⊙ x, m ~ Bernoulli(1 − p).

    With ``hold_out=True`` the loss asks for the masked entries M alone, each counted 1/p times, and knows nothing of
    the entries R that were read. For the multinomial likelihood that is

    .. math:: -\frac{1}{p} \sum_{j \in M} x_j \log \frac{e^{l_j}}{\sum_{k \notin R} e^{l_k}}

    and for the others, which are sums over entries, the sum over those not in R, of which masked ones count 1/p times.

    Parameters
    ----------
    p : float in [0, 1), default 0.5
        Probability that an entry is masked.
    rescale : bool, default True
        Divide what is left by 1 − p ("inverted dropout"), so that E[x̃] = x and the network sees inputs of the same
        size in training and afterwards.
    hold_out : bool, default False
        Ask for what is masked alone. No item is then predicted from itself. That is what
        recommending asks for, and what the zero diagonal of `EASE` and `ELSA` sees to; a network that is asked for
        what it reads spends its units on copying it. On sparse data; dense rows are read as sparse ones.

    Raises
    ------
    ValueError
        If `p` is not in [0, 1), or 0 where masked entries are held out; if `hold_out` is not True or False.

    References
    ----------
    Vincent et al. (2010): emphasis on what is corrupted, α = 1 and β = 0. Steck (2020). Autoencoders that don't
    overfit towards the identity. NeurIPS.

    Examples
    --------
    >>> import torch
    >>> MaskingNoise(0.5).corrupt(torch.ones(100), torch.Generator().manual_seed(0)).unique()
    tensor([0., 2.])
    """

    p: float = 0.5
    rescale: bool = True
    hold_out: bool = False

    def __post_init__(self) -> None:
        if not (is_number(self.p) and 0 <= self.p < 1):
            raise ValueError(f"MaskingNoise: p is the share of entries to mask, in [0, 1); got {self.p!r}")
        if not isinstance(self.hold_out, bool):
            raise ValueError(f"MaskingNoise: hold_out is True or False, got {self.hold_out!r}")
        if self.hold_out and self.p == 0:
            raise ValueError("MaskingNoise: with p=0 nothing is held out: set hold_out=False")

    def corrupt(self, values: Tensor, generator: torch.Generator) -> Tensor:
        """Return a corrupted copy of `values`: a dense batch, or the stored values of a sparse one.

        Masking a 0 leaves 0, so that corrupting the stored values is the same as corrupting every entry.
        """
        return self.apply(values, self.draw(values, generator))

    def draw(self, values: Tensor, generator: torch.Generator) -> Tensor:
        """Draw which of the values pass: true for those, false for masked ones."""
        drawn = torch.rand(values.shape, generator=generator, dtype=values.dtype, device=values.device)
        return drawn >= self.p

    def apply(self, values: Tensor, passes: Tensor) -> Tensor:
        """Return `values` without those that do not pass."""
        mask = passes.to(values.dtype)
        return values * (mask / (1 - self.p) if self.rescale else mask)


@dataclass(frozen=True)
class GaussianNoise:
    """Add independent normal noise to entries: x̃ = x + scale · ε, ε ~ N(0, 1).

    Parameters
    ----------
    scale : float ≥ 0, default 0.1
        Standard deviation of the noise, in units of the input (after its normalisation, where the model has one).
    entries : {"observed", "all"}, default "observed"
        On sparse input, the entries that receive noise: those with a rating, or every one. "all" does not make the
        matrix dense: see `preactivation_noise`. Dense input receives it on every entry in both cases.

    Raises
    ------
    ValueError
        If `scale` is negative or `entries` unknown.
    """

    scale: float = 0.1
    entries: Literal["observed", "all"] = "observed"

    def __post_init__(self) -> None:
        if not (is_number(self.scale) and 0 <= self.scale < float("inf")):
            raise ValueError(
                f"GaussianNoise: scale is a standard deviation, a finite number of at least 0; got {self.scale!r}"
            )
        if self.entries not in ("observed", "all"):
            raise ValueError(f"GaussianNoise: entries must be 'observed' or 'all', got {self.entries!r}")

    def corrupt(self, values: Tensor, generator: torch.Generator) -> Tensor:
        """Return a corrupted copy of `values`: a dense batch, or the stored values of a sparse one."""
        drawn = torch.randn(values.shape, generator=generator, dtype=values.dtype, device=values.device)
        return values + self.scale * drawn

    def preactivation_noise(self, weight: Tensor, n_rows: int, generator: torch.Generator) -> Tensor:
        r"""Draw what noise on *every* input entry adds to the first layer, without drawing it entry by entry.

        The first layer computes x̃ᵀW = xᵀW + scale · εᵀW. With ε ~ N(0, I) the last term is normal with covariance
        scale² · WᵀW = scale² · LLᵀ (Cholesky), so scale · gLᵀ with g ~ N(0, I) has exactly its distribution. Only
        hidden × hidden and rows × hidden numbers are held, never rows × items. Differentiable in W.

        Parameters
        ----------
        weight : Tensor of shape (n_items, n_hidden)
        n_rows : int
        generator : torch.Generator

        Returns
        -------
        Tensor of shape (n_rows, n_hidden)
        """
        n_items, n_hidden = weight.shape
        if n_items <= n_hidden:  # WᵀW has no Cholesky factor; the noise itself is the smaller of the two
            drawn = torch.randn((n_rows, n_items), generator=generator, dtype=weight.dtype, device=weight.device)
            return self.scale * drawn @ weight
        gram = (weight.T @ weight).double()
        squares = gram.diagonal().detach()
        ridge = _RIDGE * squares + 1e-10 * squares.mean().clamp_min(torch.finfo(weight.dtype).tiny)
        factor = torch.linalg.cholesky(gram + torch.diag(ridge)).to(weight.dtype)
        drawn = torch.randn((n_rows, n_hidden), generator=generator, dtype=weight.dtype, device=weight.device)
        noise: Tensor = self.scale * drawn @ factor.T
        return noise


Noise: TypeAlias = MaskingNoise | GaussianNoise
