"""`aerec units`: what there is to steer by."""

import json

import numpy as np
import pytest

from aerec.runs.folder import read_run


def test_units_are_listed_most_active_first(aerec, code_run):
    found = json.loads(aerec("units", code_run, "-k", "4", "--json").out)
    model = read_run(code_run).model
    assert [one["unit"] for one in found] == np.argsort(-model.activity_, kind="stable")[:4].tolist()
    assert [one["strength"] for one in found] == pytest.approx(model.strength_[[one["unit"] for one in found]].tolist())
    out = aerec("units", code_run, "-k", "4").out
    assert out.count("\n") == 5
    assert "; ".join(found[0]["titles"]) in out


def test_other_models_have_none(refused, ease_run):
    assert "holds ease, which has no units to steer; sparse-code has" in refused("units", ease_run)
