"""Dense data: a denoising and a sparse autoencoder of the 8 × 8 digits of scikit-learn, beside PCA.

    python examples/digits.py

PCA is the best linear code for the squared error. An autoencoder has to offer something else: it removes noise of the
kind that it was trained on, or it gives a code whose units can be looked at one by one.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from aerec.models import DenoisingAutoencoder, SparseAutoencoder
from aerec.noise import GaussianNoise
from aerec.sparsity import TopKSparsity

UNITS = 32  # of PCA

train, test = train_test_split(load_digits().data, test_size=0.2, random_state=0)
scaler = StandardScaler().fit(train)
train, test = scaler.transform(train).astype("float32"), scaler.transform(test).astype("float32")
noisy = test + np.random.default_rng(0).normal(size=test.shape).astype("float32")

pca = PCA(UNITS).fit(train)
common = {"likelihood": "gaussian", "epochs": 30, "batch_size": 50, "learning_rate": 3e-3}
denoising = DenoisingAutoencoder(hidden=256, activation="relu", noise=GaussianNoise(1.0), **common).fit(train)
sparse = SparseAutoencoder(hidden=64, activation="relu", sparsity=TopKSparsity(8), **common).fit(train)

print(f"{'':24}{'clean':>8}{'noisy':>8}   (squared error per digit, against the clean one)")
reconstructions = {
    f"PCA, {UNITS} components": lambda X: pca.inverse_transform(pca.transform(X)),
    "denoising autoencoder": denoising.reconstruct,
    "sparse autoencoder": sparse.reconstruct,
}
for name, reconstruct in reconstructions.items():
    errors = [np.square(reconstruct(X) - test).sum(axis=1).mean() for X in (test, noisy)]
    print(f"{name:24}{errors[0]:8.1f}{errors[1]:8.1f}")

code = sparse.transform(test)
print(f"\nsparse code: {np.count_nonzero(code, axis=1).mean():.1f} of {code.shape[1]} units active in a digit")

each_alone = np.diag(code.max(axis=0))
painted = (sparse.generate(each_alone) - sparse.generate(0 * each_alone)) * scaler.scale_  # in grey levels
unit = int(painted.sum(axis=1).argmax())
print(f"what unit {unit} paints, + and #, and what it takes away, · and -:")
for row in (painted[unit] / np.abs(painted[unit]).max()).reshape(8, 8):
    print("  " + "".join("-· +#"[round(2 * value) + 2] * 2 for value in row))
