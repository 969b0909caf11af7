"""What the extra `scale` brings, and what is said without it."""

import sys

import pytest

from aerec.datasets.scale import load_duckdb, load_pyarrow
from aerec.errors import MissingExtraError


@pytest.mark.parametrize(
    ("module", "load"), [("duckdb", load_duckdb), ("pyarrow.parquet", lambda: load_pyarrow("mine.parquet"))]
)
def test_without_the_extra_the_error_holds_the_pip_line(monkeypatch, module, load):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r'pip install "aerec\[scale\]"'):
        load()


def test_with_it_the_modules_come():
    assert load_duckdb().__name__ == "duckdb"
    assert load_pyarrow("x").__name__ == "pyarrow.parquet"
