"""Names that are imported when they are asked for."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import aerec
from aerec._lazy import LazyMapping, exported_names

TREE = Path(aerec.__file__).parent
ROOMS = [".".join(stub.parent.relative_to(TREE.parent).parts) for stub in sorted(TREE.rglob("__init__.pyi"))]


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_of_a_stub_is_there_and_is_what_it_says(room):
    package = importlib.import_module(room)
    names = exported_names(room)
    assert sorted(names) == package.__all__ == dir(package)
    for name, module in names.items():
        found = getattr(package, name)
        assert found is (
            importlib.import_module(f"{room}.{name}")
            if module == room
            else getattr(importlib.import_module(module), name)
        )


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_hides_a_name_of_its_package(room):
    folder = TREE.joinpath(*room.split(".")[1:])
    modules = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    assert not {name for name, module in exported_names(room).items() if module != room} & modules


def test_an_unknown_name_is_refused_as_ever():
    with pytest.raises(AttributeError, match=r"module 'aerec\.models' has no attribute 'Nothing'"):
        importlib.import_module("aerec.models").Nothing


def test_baselines_names_and_data_need_no_pytorch():
    code = (
        "import sys, aerec; from aerec.registry import MODELS; from aerec.baselines import Popularity\n"
        "data = aerec.datasets.load_dataset('sample')\n"
        "Popularity().fit(data).recommend(data, k=3); list(MODELS), aerec.Recommender, aerec.evaluate\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_lazy_mapping_loads_what_is_asked_for_and_nothing_else():
    loaded = []
    mapping = LazyMapping(["a", "b"], lambda name: loaded.append(name) or name.upper())
    assert list(mapping) == ["a", "b"]
    assert len(mapping) == 2
    assert loaded == []
    assert mapping["b"] == "B"
    assert loaded == ["b"]
    with pytest.raises(KeyError):
        mapping["c"]
