"""A run over HTTP: an API, its metrics and a web page. Needs the extra `serve`; see `aerec.serving.app`."""

from __future__ import annotations

from aerec.serving.engine import Engine
from aerec.serving.items import Catalogue, Filters
from aerec.serving.search import TitleIndex
from aerec.system.extras import require_serving

__all__ = ["Catalogue", "Engine", "Filters", "TitleIndex", "require_serving"]
