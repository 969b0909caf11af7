"""Ratings from files, from the catalogue, and generated ones."""

from __future__ import annotations

from aerec.datasets.behaviours import combine
from aerec.datasets.catalogue import list_datasets, load_dataset, load_parts
from aerec.datasets.readers.read import read_parts, read_ratings
from aerec.datasets.store.folder import open_store
from aerec.datasets.store.importing import import_parquet, import_ratings
from aerec.datasets.synthetic import generate_interactions

__all__ = [
    "combine",
    "generate_interactions",
    "import_parquet",
    "import_ratings",
    "list_datasets",
    "load_dataset",
    "load_parts",
    "open_store",
    "read_parts",
    "read_ratings",
]
