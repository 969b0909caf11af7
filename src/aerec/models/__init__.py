"""Recommenders: the autoencoders, each in a short file of its own."""

from aerec.models.autoencoder import Autoencoder
from aerec.models.autorec import AutoRec
from aerec.models.blend import Blend
from aerec.models.cdae import CDAE
from aerec.models.denoising import DenoisingAutoencoder
from aerec.models.ease import EASE
from aerec.models.edlae import EDLAE
from aerec.models.elsa import ELSA
from aerec.models.kernel_autorec import KernelAutoRec
from aerec.models.low_rank_edlae import LowRankEDLAE
from aerec.models.mult_dae import MultDAE
from aerec.models.mult_vae import MultVAE
from aerec.models.rating_blend import RatingBlend
from aerec.models.recvae import RecVAE
from aerec.models.sparse_autoencoder import SparseAutoencoder
from aerec.models.sparse_ease import SparseEASE

__all__ = [
    "CDAE",
    "EASE",
    "EDLAE",
    "ELSA",
    "AutoRec",
    "Autoencoder",
    "Blend",
    "DenoisingAutoencoder",
    "KernelAutoRec",
    "LowRankEDLAE",
    "MultDAE",
    "MultVAE",
    "RatingBlend",
    "RecVAE",
    "SparseAutoencoder",
    "SparseEASE",
]
