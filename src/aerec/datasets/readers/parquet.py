"""Ratings in Parquet files, by pyarrow (the extra `scale`)."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import pandas as pd

from aerec.datasets.readers.columns import Columns
from aerec.datasets.readers.files import ALWAYS_ALLOWED, MAX_RATIO, Files
from aerec.errors import DataError
from aerec.system.extras import import_extra

__all__ = ["read_parquet"]

_ROWS = 1 << 16


def read_parquet(files: Files, name: str, columns: Columns) -> pd.DataFrame:
    """Read the wanted columns of a Parquet file, named user, item, rating and timestamp.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    DataError
        If the file is no Parquet file, has no rows or lacks a column.
    """
    label = files.label(name)
    import_extra("pyarrow.parquet", f"{label}: Parquet")
    import pyarrow
    import pyarrow.parquet

    with files.open(name) as stream:
        content = io.BytesIO(stream.read())
    try:
        file = pyarrow.parquet.ParquetFile(content)
        found = columns.locate(file.schema_arrow.names, label)
        _refuse_others(file.schema_arrow, found.values(), label)
        frame = _read(content, list(found.values()), label)
    except DataError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{label} is not a Parquet file, or it is damaged ({first}); write it again") from None
    if frame.empty:
        raise DataError(f"{label} has columns and no ratings")
    return frame.rename(columns={given: role for role, given in found.items()})[list(found)]


def _read(content: io.BytesIO, names: list[str], label: str) -> pd.DataFrame:
    """Read the columns `names` in pieces, so that a small file cannot unpack to more than what a reader expects."""
    import pyarrow
    import pyarrow.compute
    import pyarrow.parquet

    # text that repeats stays a dictionary, whose size says what it would be without
    file = pyarrow.parquet.ParquetFile(content, read_dictionary=names)
    limit = max(MAX_RATIO * content.getbuffer().nbytes, ALWAYS_ALLOWED)
    size, batches = 0, []
    for batch in file.iter_batches(batch_size=_ROWS, columns=names):
        for column in batch.columns:
            size += column.nbytes
            if pyarrow.types.is_dictionary(column.type):
                lengths = pyarrow.compute.binary_length(column.dictionary)
                size += pyarrow.compute.sum(lengths.take(column.indices)).as_py() or 0
        if size > limit:
            raise DataError(
                f"{label} unpacks to more than {limit >> 20:,} MiB, over {MAX_RATIO} times its size: refused as a "
                "decompression bomb; if you trust it, read it with pandas and use Interactions.from_frame"
            )
        batches.append(batch)
    table = pyarrow.Table.from_batches(batches, schema=None if batches else file.schema_arrow)
    for at, field in enumerate(table.schema):
        if pyarrow.types.is_dictionary(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(field.type.value_type))
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _refuse_others(schema: Any, names: Iterable[str], label: str) -> None:
    """Refuse lists, structures and bytes: neither ids nor ratings nor times."""
    import pyarrow

    for name in names:
        kind = schema.field(name).type
        if pyarrow.types.is_nested(kind) or pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind):
            raise DataError(f"{label}: the column {name!r} holds {kind}, expected numbers, text or times")
