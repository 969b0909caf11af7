"""Small parts for the models that are made of others: at their defaults networks train long."""

from aerec.baselines import BiasBaseline, BiasedMF, PureSVD
from aerec.models import EASE, ELSA

PARTS = {
    "blend": {"models": [EASE(), ELSA(epochs=2, n_factors=2, progress=False)]},
    "rating-blend": {"models": [BiasBaseline(), BiasedMF(epochs=2, n_factors=2)]},
    "sparse-code": {"model": PureSVD(n_factors=2), "n_units": 6, "n_active": 2},
}
