"""Draw the pictures of the documentation into docs/assets; needs matplotlib (extra ``report``).

python docs/pictures.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits

from aerec.models import DenoisingAutoencoder
from aerec.noise import GaussianNoise, MaskingNoise
from aerec.sparsity import KLSparsity, L1Sparsity, TopKSparsity

ASSETS = Path(__file__).parent / "assets"


def draw_penalties() -> None:
    """Draw L1 against one activation, KL against the mean activation of a unit, and what top-k keeps."""
    figure, (left, right, kept) = plt.subplots(1, 3, figsize=(9.5, 2.8), layout="constrained")
    activation = torch.linspace(-1, 1, 201)
    left.plot(activation, [float(L1Sparsity(1.0).cost(one.abs()[None])) for one in activation])
    left.set(title="L1, of a row", xlabel="activation of a unit", ylabel="penalty / weight")
    share = torch.linspace(0.005, 0.95, 200)
    for target in (0.05, 0.2):
        penalty = KLSparsity(target, weight=1.0)
        right.plot(share, [float(penalty.cost(one[None])) for one in share], label=f"target {target:g}")
    right.set(title="KL, of a batch", xlabel="mean activation of a unit, as a share of its range")
    right.legend(frameon=False)
    code = torch.rand(1, 16, generator=torch.Generator().manual_seed(3))
    kept.bar(range(16), code[0], color="lightgray", label="before")
    kept.bar(range(16), TopKSparsity(4).apply(code)[0], label="kept")
    kept.set(title="top-k, k = 4", xlabel="unit of the code", ylabel="activation")
    kept.legend(frameon=False, ncols=2, loc="upper center")
    kept.set_ylim(0, 1.3)
    for axes in (left, right, kept):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(ASSETS / "penalties.svg", metadata={"Date": None})


def draw_likelihoods() -> None:
    """Draw what one item costs against its output, for a rated and for an unrated one."""
    figure, rows = plt.subplots(1, 4, figsize=(9.5, 2.6), layout="constrained", sharey=True)
    out = np.linspace(-3, 4, 200)
    among_others = np.log(np.exp(out) + 3)  # three other items, whose outputs are 0
    costs = {
        "multinomial": (among_others - out, among_others),
        "bernoulli": (np.logaddexp(0, out) - out, np.logaddexp(0, out)),
        "gaussian": (0.5 * (1 - out) ** 2, 0.5 * out**2),
        "observed": (0.5 * (1 - out) ** 2, np.zeros_like(out)),
    }
    for axes, (name, (rated, unrated)) in zip(rows, costs.items(), strict=True):
        axes.plot(out, rated, label="x = 1")
        axes.plot(out, unrated, "--", label="x = 0" if name != "multinomial" else "x = 0, another is 1")
        axes.set(title=name, xlabel="output l of the item", ylim=(-0.1, 4.5))
        axes.legend(frameon=False, fontsize=8, loc="upper center")
        axes.spines[["top", "right"]].set_visible(False)
    rows[0].set_ylabel("cost")
    figure.savefig(ASSETS / "likelihoods.svg", metadata={"Date": None})


def draw_noise() -> None:
    """Draw a digit clean, corrupted and restored, for both kinds of noise."""
    digits = (load_digits().data / 16).astype(np.float32)
    train, digit = digits[:-100], digits[-5:-4]
    figure, rows = plt.subplots(2, 3, figsize=(4.2, 3.1), layout="constrained")
    for axes, (name, noise) in zip(
        rows, {"masking, p = 0.5": MaskingNoise(0.5), "Gaussian, scale 0.3": GaussianNoise(0.3)}.items(), strict=True
    ):
        corrupted = noise.corrupt(torch.from_numpy(digit), torch.Generator().manual_seed(1)).numpy()
        model = DenoisingAutoencoder(
            hidden=256, activation="relu", noise=noise, likelihood="gaussian", epochs=60, batch_size=50
        ).fit(train)
        for one, title, image in zip(
            axes, ("clean", name, "restored"), (digit, corrupted, model.reconstruct(corrupted)), strict=True
        ):
            one.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
            one.set_title(title, fontsize=9)
            one.set_axis_off()
    figure.savefig(ASSETS / "noise.png", dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    mpl.use("agg")
    mpl.rcParams |= {"svg.hashsalt": "aerec", "svg.fonttype": "none", "font.size": 9}
    draw_penalties()
    draw_likelihoods()
    draw_noise()
