"""The search for hyper-parameters."""

from aerec.tuning.search import TuningResult, default_space, tune

__all__ = ["TuningResult", "default_space", "tune"]
