"""What DuckDB is asked, and how its answer is cut into blocks."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow
import pytest

from aerec.datasets import import_parquet
from aerec.datasets.readers.columns import Columns
from aerec.datasets.store.duckdb_query import RatingsQuery
from aerec.errors import DataError

duckdb = pytest.importorskip("duckdb")


@pytest.fixture
def query(tmp_path):
    path = tmp_path / "it's.parquet"  # quoted in SQL
    frame = pd.DataFrame({"user": [2, 1, 2, 1], "item": ["b", "b", "a", "b"], 'my "stars"': [1, 2, 3, 4]})
    frame.to_parquet(path)
    columns = Columns(rating='my "stars"')
    with duckdb.connect(":memory:") as connection:
        query = RatingsQuery(connection, [path], columns, "here")
        assert query.check() == 4
        assert query.write_items(tmp_path / "items.parquet") == 2
        yield query


@pytest.mark.parametrize("size", [1, 3, 100])
def test_blocks_are_sorted_and_say_what_begins_and_ends(query, size):
    blocks = list(query.blocks(size))
    joined = {
        name: np.concatenate([getattr(block, name) for block in blocks]).tolist()
        for name in ("is_new_user", "counts", "items", "ratings")
    }
    assert joined == {
        "is_new_user": [True, False, True, False],
        "counts": [False, True, True, True],
        "items": [1, 1, 0, 1],
        "ratings": [2.0, 4.0, 3.0, 1.0],
    }
    assert [one for block in blocks for one in block.new_users.column("id").to_pylist()] == [1, 2]


@pytest.mark.parametrize(("ids", "codes"), [([2, 1], [0, 0]), ([1, 1], [1, 0])])
def test_rows_out_of_order_are_noticed(query, ids, codes):
    with pytest.raises(DataError, match="out of order"):
        query._changes(pyarrow.table({"id": ids, "code": codes}))


@pytest.mark.parametrize("column", ["user", "item"])
@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (
            np.array([2**63 + 5, 3], dtype=np.uint64),
            "holds ids up to 9,223,372,036,854,775,807, some are larger; make the",
        ),
        (pd.to_timedelta([1, 2], unit="h"), r"holds duration\[[nu]s\], expected ids: whole numbers or text"),
        ([Decimal(5), Decimal(7)], r"is DECIMAL\(1,0\); cast it to int64 or to text before"),
    ],
    ids=["uint64", "duration", "decimal"],
)
def test_ids_that_a_store_cannot_hold_are_refused_with_what_to_do(tmp_path, column, ids, message):
    frame = pd.DataFrame({"user": [1, 2], "item": [1, 2], "rating": [1.0, 2.0], column: ids})
    frame.to_parquet(tmp_path / "ratings.parquet")
    with pytest.raises(DataError, match=message):
        import_parquet(tmp_path / "ratings.parquet", tmp_path / "store")


def test_unsigned_ids_that_fit_are_taken(tmp_path):
    frame = pd.DataFrame({"user": np.array([2**63 - 1, 3], dtype=np.uint64), "item": [1, 2], "rating": [1.0, 2.0]})
    frame.to_parquet(tmp_path / "ratings.parquet")
    assert import_parquet(tmp_path / "ratings.parquet", tmp_path / "store").users.tolist() == [3, 2**63 - 1]
