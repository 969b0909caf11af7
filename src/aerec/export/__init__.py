"""Trained models for other programs: ONNX graphs, and indexes of item vectors for approximate search."""

from aerec.export.index import export_index
from aerec.export.onnx import export_onnx
from aerec.export.vectors import item_vectors, query_vectors

__all__ = ["export_index", "export_onnx", "item_vectors", "query_vectors"]
