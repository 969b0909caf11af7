"""Ratings in Parquet files, by pyarrow (the extra `scale`)."""

from __future__ import annotations

import io

import pandas as pd

from aerec.datasets.columns import Columns
from aerec.datasets.files import Files
from aerec.errors import DataError, MissingExtraError

__all__ = ["read_parquet"]


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
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError(f'{label}: reading Parquet needs pyarrow; run pip install "aerec[scale]"') from None
    with files.open(name) as stream:
        content = io.BytesIO(stream.read())
    try:
        file = pyarrow.parquet.ParquetFile(content)
        found = columns.locate(file.schema_arrow.names, label)
        frame: pd.DataFrame = file.read(columns=list(found.values())).to_pandas()
    except pyarrow.ArrowException as error:
        first = str(error).splitlines()[0]
        raise DataError(f"{label} is not a Parquet file, or it is damaged ({first}); write it again") from None
    if frame.empty:
        raise DataError(f"{label} has columns and no ratings")
    return frame.rename(columns={given: role for role, given in found.items()})[list(found)]
