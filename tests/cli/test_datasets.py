"""`aerec datasets`: the catalogue, as a table and as JSON."""

import json

import pytest

from aerec.datasets import list_datasets


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("AEREC_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("AEREC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data" / "ml-1m").mkdir(parents=True)
    return tmp_path / "data"


def test_json_is_the_catalogue(aerec, places):
    code, out, err = aerec("datasets", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == list_datasets().to_dict(orient="records")
    available = {one["name"]: one["available"] for one in json.loads(out) if one["available"]}
    assert available == {"sample": "built in", "ml-1m": str(places / "ml-1m")}


def test_the_table_has_a_line_for_each_data_set_with_its_counts(aerec, places):
    code, out, err = aerec("datasets")
    assert (code, err) == (0, "")
    heading, *lines = out.splitlines()
    assert heading.split() == ["name", "title", "users", "items", "ratings", "available"]
    assert [line.split()[0] for line in lines[:-1]] == list(list_datasets()["name"])
    (large,) = [line for line in lines if line.startswith("ml-20m ")]
    assert large.split()[-3:] == ["138493", "26744", "20000263"]  # as its README says
    assert "$AEREC_DATA" in lines[-1]
