"""A run over HTTP: an API, its metrics and a web page. Needs the extra `serve`; see `aerec.serving.app`."""

from __future__ import annotations

from aerec.serving.catalogue import Catalogue, Filters
from aerec.serving.engine import Engine
from aerec.serving.extra import require_serving
from aerec.serving.search import TitleIndex

__all__ = ["Catalogue", "Engine", "Filters", "TitleIndex", "require_serving"]
