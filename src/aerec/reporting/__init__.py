"""Reports: what was measured, as one HTML page with tables and pictures. Pictures need the extra `report`."""

from __future__ import annotations

from aerec.display.plotting import plot_history
from aerec.reporting.model_summary import describe_model
from aerec.reporting.page import write_report
from aerec.reporting.results import gather_results, measure_models, read_results
from aerec.reporting.side_by_side import SideBySide
from aerec.reporting.steering import Steering

__all__ = [
    "SideBySide",
    "Steering",
    "describe_model",
    "gather_results",
    "measure_models",
    "plot_history",
    "read_results",
    "write_report",
]
