"""Baselines: what an autoencoder has to beat, given the same chance."""

from aerec.baselines.als import ALS
from aerec.baselines.bias import BiasBaseline
from aerec.baselines.biased_mf import BiasedMF
from aerec.baselines.bpr import BPR
from aerec.baselines.bspm import BSPM
from aerec.baselines.item_knn import ItemKNN
from aerec.baselines.nmf import NMF
from aerec.baselines.popularity import Popularity
from aerec.baselines.pure_svd import PureSVD
from aerec.baselines.rp3_beta import RP3Beta
from aerec.baselines.slim import SLIM
from aerec.baselines.user_knn import UserKNN

__all__ = [
    "ALS",
    "BPR",
    "BSPM",
    "NMF",
    "SLIM",
    "BiasBaseline",
    "BiasedMF",
    "ItemKNN",
    "Popularity",
    "PureSVD",
    "RP3Beta",
    "UserKNN",
]
