"""Run folders, and recommendations for everybody."""

from aerec.runs.batch_recommend import recommend_all
from aerec.runs.folder import SPLITTERS, Run, SplitPlan, check_run_path, read_run, run_fingerprint, write_run

__all__ = [
    "SPLITTERS",
    "Run",
    "SplitPlan",
    "check_run_path",
    "read_run",
    "recommend_all",
    "run_fingerprint",
    "write_run",
]
