"""The autoencoder of the well-known TensorFlow example with additive Gaussian noise, on the digits of scikit-learn.

    python examples/article.py [PICTURE.png]

Standardised columns, 200 softplus units, noise of scale 0.01, Adam with learning rate 0.01, batches of 128 rows and 20
epochs; the encoder begins as Xavier (Glorot) initialisation has it, the decoder at 0. Where aerec differs from the
original is told in docs/how-to/dense-data.md.
"""

from __future__ import annotations

import sys

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from aerec.models import Autoencoder
from aerec.noise import GaussianNoise
from aerec.training.callbacks import Callback


class PrintCost(Callback):
    """Prints the cost of each epoch, as the original does."""

    def epoch_done(self, record, model):
        """Print one line."""
        print(f"epoch {record['epoch']:2d}  cost {record['cost']:.4f}")


train, test = train_test_split(load_digits().data, test_size=0.2, random_state=0)
scaler = StandardScaler().fit(train)
train, test = (scaler.transform(part).astype("float32") for part in (train, test))

model = Autoencoder(
    hidden=200,
    activation="softplus",
    noise=GaussianNoise(0.01),
    likelihood="gaussian",
    initialization="zero-decoder",
    optimizer="adam",
    learning_rate=0.01,
    batch_size=128,
    epochs=20,
    progress=False,
)
model.fit(train, callbacks=[PrintCost()])

cost = model.total_cost(test)  # ½ Σ over a row, mean over rows
print(f"total cost of {len(test)} test digits: {cost * len(test):.1f}, {cost:.4f} a digit")

code = model.transform(test)
reconstruction = model.reconstruct(test)
drawn = model.generate(n=10)
print(f"code {code.shape}, reconstruction {reconstruction.shape}, generated {drawn.shape}")
print("weights", [weight.shape for weight in model.coefs_], "biases", [bias.shape for bias in model.intercepts_])
error = np.square(reconstruction - test).sum(axis=1).mean() / np.square(test).sum(axis=1).mean()
print(f"share of the variance that is not reconstructed: {error:.2%}")

if len(sys.argv) > 1:
    import matplotlib.pyplot as plt

    rows = {
        "test digits": scaler.inverse_transform(test[:10]),
        "reconstructed": scaler.inverse_transform(reconstruction[:10]),
        "generated from drawn codes": scaler.inverse_transform(drawn),
        "what ten units read": model.coefs_[0].T[:10],
        "what they paint": model.coefs_[1][:10],
    }
    figure, axes = plt.subplots(len(rows), 10, figsize=(10, 1.3 * len(rows)))
    for line, (title, images) in zip(axes, rows.items(), strict=True):
        line[0].set_title(title, loc="left", fontsize=9)
        for ax, image in zip(line, images, strict=True):
            ax.imshow(image.reshape(8, 8), cmap="gray")
            ax.axis("off")
    figure.savefig(sys.argv[1], dpi=120, bbox_inches="tight")
    print(f"picture written to {sys.argv[1]}")
