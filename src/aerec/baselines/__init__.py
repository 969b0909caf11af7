"""Baselines: what an autoencoder has to beat, given the same chance."""

from aerec.baselines.item_knn import ItemKNN
from aerec.baselines.popularity import Popularity

__all__ = ["ItemKNN", "Popularity"]
