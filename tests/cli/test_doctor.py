"""`aerec doctor`: versions, machine, device, extras, and where data was found."""

import json
import os
from importlib import metadata

import pytest

from aerec.cli import doctor as verb
from aerec.system import environment


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("AEREC_DATA", str(tmp_path))
    monkeypatch.setenv("AEREC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "ml-1m").mkdir()
    return tmp_path


def test_json_tells_what_is_here(aerec, places):
    code, out, err = aerec("doctor", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["versions"]["torch"] == metadata.version("torch")
    assert 1 <= found["machine"]["cores"] <= os.cpu_count()
    assert found["device"]["auto"] in {"cpu", "mps", "cuda", "cuda:0"}
    assert (found["device"]["auto"].startswith("cuda")) == bool(found["device"]["cuda"])
    assert found["data"]["AEREC_DATA"] == str(places)
    assert found["data"]["cache"] == str(places / "cache")
    assert found["data"]["found"] == {"sample": "built in", "ml-1m": str(places / "ml-1m")}


def test_an_extra_is_here_when_all_of_its_packages_are(aerec, monkeypatch):
    monkeypatch.setattr(verb, "_EXTRAS", {"here": ["json"], "half": ["json", "no_such_package"], "gone": ["no_such"]})
    found = json.loads(aerec("doctor", "--json").out)
    assert found["extras"] == {"here": True, "half": False, "gone": False}


def test_the_extras_are_those_that_can_be_installed():
    provided = metadata.metadata("aerec").get_all("Provides-Extra")
    assert set(verb._EXTRAS) <= set(provided)


def test_for_people_every_section_is_readable(aerec, places, monkeypatch):
    monkeypatch.delenv("AEREC_DATA")
    monkeypatch.setattr(environment, "describe_machine", lambda: {"memory": 3 * 2**30, "instruction_sets": []})
    code, out, err = aerec("doctor")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["versions", "machine", "device", "extras", "data"]
    said = dict(line.split(maxsplit=1) for line in lines if line.startswith(" "))
    assert said["memory"] == "3.0 GiB"
    assert said["instruction_sets"] == "none"
    assert said["AEREC_DATA"] == "not set"
    assert said["found"] == "sample (built in)"
    assert said["bf16"] in {"yes", "no"}
