"""What results have to look like to be put on a page, and where a given one does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aerec.errors import DataError


@dataclass(frozen=True)
class _Maybe:
    """Absent, None, or this."""

    shape: Any


@dataclass(frozen=True)
class _Each:
    """A mapping of any names, each to this."""

    shape: Any


_NUMBER = (int, float)
_NUMBER_OR_NONE = (int, float, type(None))
_GROUP = {"n_users": int, "value": _NUMBER_OR_NONE}
_GROUPS = {
    "metric": str,
    "by_activity": [_GROUP | {"activity": str, "shortest": int, "longest": int}],
    "by_popularity": [_GROUP | {"popularity": str, "n_items": int}],
}
_CODE = {
    "of": str,
    "n_rows": int,
    "n_units": int,
    "at_rest": _NUMBER,
    "silent": _NUMBER,
    "edges": [_NUMBER],
    "counts": [_NUMBER],
    "use": _Maybe([_NUMBER]),
}
_SAMPLE = {
    "user": str,
    "n_history": int,
    "n_target": int,
    "history": [str],
    "recommended": [{"title": str, "hit": bool}],
}
_POINT = {"reranker": str, "trade_off": _NUMBER} | dict.fromkeys(
    ("ndcg", "diversity", "miscalibration"), _NUMBER_OR_NONE
)
_DETAILS = {
    "parameters": _Maybe(_Each(object)),
    "history": _Maybe([{"epoch": _NUMBER, "cost": _NUMBER}]),
    "recall_at": _Maybe([[_NUMBER]]),
    "beyond": _Maybe({"k": int, "metrics": _Each({"value": _NUMBER_OR_NONE})}),
    "groups": _Maybe(_GROUPS),
    "reranked": _Maybe({"k": int, "n_candidates": int, "n_users": int, "points": [_POINT]}),
    "code": _Maybe(_CODE),
    "samples": _Maybe([_SAMPLE]),
}
_MODEL = {
    "name": str,
    "metrics": _Each({"mean": _NUMBER, "interval": [_NUMBER_OR_NONE]}),
    "fit_seconds": _Maybe(_NUMBER),
    "peak_mb": _Maybe(_NUMBER),
    "details": _Maybe(_DETAILS),
}
_PAIR = {"metric": str, "a": str, "b": str, "difference": _NUMBER, "low": _NUMBER, "high": _NUMBER, "p_holm": _NUMBER}
_RESULTS = {
    "data": str,
    "split": str,
    "seed": _Maybe(int),
    "n_users": int,
    "n_left_out": int,
    "models": [_MODEL],
    "differences": _Maybe([_PAIR]),
    "best": _Each([str]),
    "best_alpha": _Maybe(_NUMBER),
    "machine": _Each(object),
    "versions": _Each(str),
}


def check_results(results: Any) -> None:
    """Raise a DataError that names the first place where `found` is not what `measure_models` gives."""
    _check(results, _RESULTS, "results")
    if not results["models"]:
        raise DataError("results.models is empty; a report needs at least one model")
    metrics = set(results["models"][0]["metrics"])
    for model in results["models"]:
        if set(model["metrics"]) != metrics:
            raise DataError(f"{model['name']} has other metrics than {results['models'][0]['name']}; measure all alike")


def _check(value: Any, shape: Any, place: str) -> None:
    if isinstance(shape, _Maybe):
        if value is not None:
            _check(value, shape.shape, place)
    elif isinstance(shape, _Each | dict):
        if not isinstance(value, Mapping):
            raise DataError(f"{place} is {value!r:.60}, not an object: no results of aerec benchmark --json")
        for name in value if isinstance(shape, _Each) else shape:
            inner = shape.shape if isinstance(shape, _Each) else shape[name]
            if name not in value and not isinstance(inner, _Maybe):
                raise DataError(f"{place} has no {name!r}: no results of aerec benchmark --json")
            _check(value.get(name), inner, f"{place}.{name}")
    elif isinstance(shape, list):
        if not isinstance(value, list | tuple):
            raise DataError(f"{place} is {value!r:.60}, not a list: no results of aerec benchmark --json")
        for number, item in enumerate(value):
            _check(item, shape[0], f"{place}[{number}]")
    elif not isinstance(value, shape):
        raise DataError(f"{place} is {value!r:.60}: no results of aerec benchmark --json")
