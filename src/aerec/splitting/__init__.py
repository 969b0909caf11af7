"""Splitters: from interactions to training data, validation and test, deterministic by seed."""

from __future__ import annotations

from aerec.holdout import Holdout, Split
from aerec.splitting.by_item import ColdItems
from aerec.splitting.by_rating import RandomHoldout
from aerec.splitting.by_time import LeaveLastOut, RollingTime, TemporalSplit
from aerec.splitting.by_user import ColdUsers, StrongGeneralization
from aerec.splitting.folds import KFold

__all__ = [
    "ColdItems",
    "ColdUsers",
    "Holdout",
    "KFold",
    "LeaveLastOut",
    "RandomHoldout",
    "RollingTime",
    "Split",
    "StrongGeneralization",
    "TemporalSplit",
]
