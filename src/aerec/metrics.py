"""Stopgap until the metrics room is written."""

from __future__ import annotations

import numpy as np


def parse_metric(name):
    base, _, k = name.partition("@")
    return base, int(k)


def higher_is_better(name):
    return name not in ("rmse", "mae")


def rmse(a, b):
    return float(np.sqrt(np.mean((np.asarray(a) - np.asarray(b)) ** 2)))


def measure_ranking(name, ranking, target):
    k = ranking.shape[1]
    T = target.matrix.toarray() > 0
    nt = T.sum(1)
    ok = nt > 0
    rel = np.take_along_axis(T, ranking, 1)
    d = 1 / np.log2(np.arange(k) + 2)
    if name.startswith("plain"):
        return (rel.sum(1)[ok] / nt[ok]).mean()
    return ((rel * d).sum(1)[ok] / np.cumsum(d)[np.minimum(nt, k) - 1][ok]).mean()
