"""Packages of extras: there, or named with the line that installs them."""

import sys

import pytest

from aerec.errors import MissingExtraError
from aerec.system.extras import import_extra


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("implicit.cpu.als", "baselines"),
        ("matplotlib.figure", "report"),
        ("optuna", "tune"),
        ("uvicorn", "serve"),
        ("torch.utils.tensorboard", "track"),
        ("mlflow.tracking", "track"),
        ("usearch.index", "export"),
        ("pyarrow.parquet", "scale"),
        ("duckdb", "scale"),
    ],
)
def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch, module, extra):
    # the whole package: one that is stopped halfway through its first import would stay half imported for other tests
    monkeypatch.setitem(sys.modules, module if module.startswith("torch.") else module.partition(".")[0], None)
    with pytest.raises(
        MissingExtraError, match=rf"^flying needs the package {module}, .*pip install 'aerec\[{extra}\]'$"
    ):
        import_extra(module, "flying")


def test_one_that_is_there_is_imported():
    assert import_extra("pyarrow.parquet", "reading").read_table
