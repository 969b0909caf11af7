"""Ids of every type, from a file by way of a saved model to the web page: always the same item."""

import json
import warnings
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aerec.datasets import read_ratings
from aerec.models import EASE
from aerec.runs.folder import SplitPlan, read_run, write_run

pytest.importorskip("fastapi", reason="serving needs the extra serve")
from fastapi.testclient import TestClient

from aerec.serving.app import create_app
from aerec.serving.settings import Settings

INTEGERS = ["int8", "uint8", "int32", "int64", "uint64"]
KINDS = [*INTEGERS, "float32", "float64", "text"]


def values_of(kind):
    if kind in INTEGERS:
        limits = np.iinfo(kind)
        near = [limits.min, limits.max - 1, limits.max, 7]
        return st.one_of(st.integers(int(limits.min), int(limits.max)), st.sampled_from(near))
    if kind == "text":
        return st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=8)
    return st.integers(-(2**20), 2**20).map(lambda half: half / 2)


def as_javascript_reads(text):
    """JSON as a browser reads it: every number is a float, so that whole ones beyond 2^53 are rounded."""
    return json.loads(text, parse_int=lambda digits: int(float(digits)))


def check(path, frame, folder):
    """Train on the file, save, load, serve; every user and item is found by its id, and is itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # 1.0 is read as 1
        data = read_ratings(path, rating=None)
    assert data.n_ratings == len(frame)
    write_run(folder, EASE(l2=1.0).fit(data), {"all": data}, SplitPlan("none"), {"data": {}}, overwrite=True)
    run = read_run(folder)
    assert run.model.items_.tolist() == run.data.items.tolist() == data.items.tolist()
    assert run.data.users.tolist() == data.users.tolist()
    expected = run.model.recommend(run.data, k=3)
    with TestClient(create_app(folder, settings=Settings(threads=1, reload_seconds=0))) as client:

        def ask(address, **body):
            answer = client.post(address, json=body) if body else client.get(address)
            assert answer.status_code == 200, answer.text
            return as_javascript_reads(answer.text)

        listed = ask("/v1/items?k=500")["items"]
        by_text = {str(one): one for one in data.items}
        assert {str(one["item"]) for one in listed} == set(by_text)
        for one in listed:
            for given_id in (one["item"], str(one["item"])):
                kept = ask("/v1/recommend", history=[], allow=[given_id], k=10)["items"]
                assert [each["item"] for each in kept] == [one["item"]]
            address = quote(str(one["item"]), safe="")
            if address.strip(".") and not str(one["item"]).endswith("/similar"):
                assert ask(f"/v1/items/{address}")["item"] == one["item"]
            assert [each["item"] for each in ask(f"/v1/items?id={address}")["items"]] == [one["item"]]
        for user in data.users:
            items = ask(f"/v1/users/{quote(str(user), safe='')}/recommendations?k=3")["items"]
            wanted = expected.loc[[one == user for one in expected["user"]], "item"]
            assert [by_text[str(one["item"])] for one in items] == list(wanted)
        for odd in ("3000000000", "-1", "99999999999999999999", "1e400", "nan", "x", "1_0"):
            assert client.get(f"/v1/users/{odd}/recommendations").status_code in (200, 404)
            assert client.get(f"/v1/items/{odd}").status_code in (200, 404)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_id_is_the_same_item_everywhere(tmp_path, kind, data):
    pytest.importorskip("pyarrow", reason="reading Parquet needs the extra aerec[scale]")
    unique_by = (lambda one: one.strip()) if kind == "text" else None
    some = st.lists(values_of(kind), min_size=3, max_size=4, unique=unique_by is None, unique_by=unique_by)
    users, items = data.draw(some), data.draw(some)
    frame = pd.DataFrame({"user": users * 2, "item": np.array([*items, *items[1:], *items[:1]] * 2)[: 2 * len(users)]})
    frame = frame.drop_duplicates()
    if kind != "text":
        frame = frame.astype(kind)
    path = tmp_path / "mine.parquet"
    frame.to_parquet(path)
    check(path, frame, tmp_path / "run")


def test_nineteen_digits_come_through_from_text(tmp_path):
    ids = [1212092628029698001, 1212092628029698002, 1212092628029698003]
    frame = pd.DataFrame({"user": [ids[0], ids[0], ids[1], ids[2]], "item": [ids[1], ids[2], ids[2], ids[0]]})
    frame.to_csv(tmp_path / "mine.csv", index=False)
    check(tmp_path / "mine.csv", frame, tmp_path / "run")
