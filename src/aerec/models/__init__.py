"""Recommenders: the autoencoders, each in a short file of its own."""

from aerec.models.ease import EASE
from aerec.models.edlae import EDLAE

__all__ = ["EASE", "EDLAE"]
