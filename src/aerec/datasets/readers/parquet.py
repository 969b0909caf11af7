"""Ratings in Parquet files, by pyarrow (the extra `scale`)."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd

from aerec.datasets.readers.columns import Columns, warn_of_no_ratings
from aerec.datasets.readers.files import ALWAYS_ALLOWED, MAX_RATIO, Files
from aerec.datasets.readers.values import plain_ids, plain_times, refuse_row, text_times
from aerec.errors import DataError
from aerec.system.extras import import_extra

_ROWS = 1 << 16
_FEW_ROWS = 1 << 8


def read_parquet(files: Files, name: str, columns: Columns) -> pd.DataFrame:
    """Read the wanted columns of a Parquet file, named user, item, rating, timestamp and weight.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    DataError
        If the file is no Parquet file, has no rows, lacks a column, or a value can be no id, rating or time.
    """
    label = files.label(name)
    import_extra("pyarrow.parquet", f"{label}: Parquet")
    import pyarrow
    import pyarrow.parquet

    with files.open(name) as stream:
        content = io.BytesIO(stream.read())
    try:
        file = pyarrow.parquet.ParquetFile(content)
        located = columns.locate(file.schema_arrow.names, label)
        for role, given in located.items():
            check_type(file.schema_arrow.field(given).type, role, f"{label}: the column {given!r}")
        frame = _read(content, located, label)
    except DataError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{label} is not a Parquet file, or it is damaged ({first}); write it again") from None
    if "rating" not in located and columns.rating is not None:
        unread = [field for field in file.schema_arrow if field.name not in located.values()]
        warn_of_no_ratings(
            label, {field.name: [True, False] for field in unread if pyarrow.types.is_boolean(field.type)}
        )
    if frame.empty:
        raise DataError(f"{label} has columns and no ratings")
    for role, given in located.items():
        what, refuse = f"{label}, column {given!r}", refuse_row(label, given, frame[given])
        if role in ("user", "item"):
            frame[given] = plain_ids(frame[given], what, refuse)
        elif role == "timestamp":
            times = frame[given]
            is_text = pd.api.types.infer_dtype(times, skipna=False) == "string"
            frame[given] = plain_times(text_times(times, refuse) if is_text else times, what, refuse)
    return frame.rename(columns={given: role for role, given in located.items()})[list(located)]


def _read(content: io.BytesIO, located: dict[str, str], label: str) -> pd.DataFrame:
    """Read columns in pieces, so that a small file cannot unpack to more than what a reader expects."""
    import pyarrow
    import pyarrow.parquet

    names = list(located.values())
    limit = max(MAX_RATIO * content.getbuffer().nbytes, ALWAYS_ALLOWED)
    # Text that repeats stays a dictionary, whose size tells the size without one before that much memory is taken.
    file = pyarrow.parquet.ParquetFile(content, read_dictionary=names)
    try:
        batches = _batches(file, names, label, limit, _ROWS)
    except OSError as error:
        if "not yet implemented" not in str(error).lower():
            raise
        # Text of a delta encoding, which has no dictionary on disk either. Its values may share their beginnings: one
        # can be as long as all that is stored, and few are read at once.
        file = pyarrow.parquet.ParquetFile(content)
        groups = [file.metadata.row_group(at).total_byte_size for at in range(file.metadata.num_row_groups)]
        batches = _batches(file, names, label, limit, max(1, min(_FEW_ROWS, limit // max([1, *groups]))))
    table = pyarrow.Table.from_batches(batches, schema=None if batches else file.schema_arrow)
    for at, field in enumerate(table.schema):
        is_id = field.name in (located["user"], located["item"])
        table = table.set_column(at, field.name, _plain_column(table.column(at), is_id=is_id))
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)  # pandas notes there what was its index
    return frame


def _batches(file: Any, names: list[str], label: str, limit: int, n_rows: int) -> list[Any]:
    """Read a file `n_rows` at once, and refuse it where it unpacks to more than `limit` bytes.

    What pyarrow knows of single columns (encodings, sizes) is not asked for: where it is damaged, the process aborts.
    """
    size, batches = 0, []
    for batch in file.iter_batches(batch_size=n_rows, columns=names):
        size += sum(_unpacked_size(column) for column in batch.columns)
        if size > limit:
            raise DataError(
                f"{label} unpacks to more than {limit >> 20:,} MiB, over {MAX_RATIO} times its size: refused as a "
                "decompression bomb; if you trust it, read it with pandas and use Interactions.from_frame"
            )
        batches.append(batch)
    return batches


def _unpacked_size(column: Any) -> int:
    """Bytes of a column of a batch, those of the repetitions of text in a dictionary included."""
    import pyarrow
    import pyarrow.compute

    size = int(column.nbytes)
    if pyarrow.types.is_dictionary(column.type) and not pyarrow.types.is_primitive(column.type.value_type):
        lengths = pyarrow.compute.binary_length(column.dictionary)
        size += pyarrow.compute.sum(lengths.take(column.indices)).as_py() or 0
    return size


def _plain_column(column: Any, *, is_id: bool) -> Any:
    """Return dictionaries as their values but for those of ids, decimals as numbers, and what is an UUID as text."""
    import pyarrow
    import pyarrow.compute

    kind = column.type
    if pyarrow.types.is_dictionary(kind):
        unified = column.unify_dictionaries()
        entries = [chunk.dictionary for chunk in unified.chunks[:1]]
        repeat = any(pyarrow.compute.count_distinct(each).as_py() != len(each) for each in entries)
        column = unified if is_id and not repeat else column.cast(kind.value_type)
    elif pyarrow.types.is_decimal(kind):
        try:
            column = column.cast(pyarrow.int64() if kind.scale == 0 else pyarrow.float64())
        except pyarrow.ArrowInvalid:  # beyond 64 bits
            column = column.cast(pyarrow.string())
    elif str(kind) == "extension<arrow.uuid>":
        ids = [None if value is None else str(value) for value in column.to_pylist()]
        column = pyarrow.chunked_array([pyarrow.array(ids, pyarrow.string())])
    return column


def check_type(kind: Any, role: str, what: str) -> None:
    """Refuse a column that can hold no ids, ratings or times; one of nulls may be any, and each is missing."""
    from pyarrow import types

    if types.is_null(kind):
        return
    if types.is_dictionary(kind):
        kind = kind.value_type
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_boolean(kind)
    text = types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view"
    uuid = str(kind) == "extension<arrow.uuid>"
    time = types.is_timestamp(kind) or types.is_date(kind)
    if role in ("user", "item") and not (number or text or uuid):
        raise DataError(f"{what} holds {kind}, expected ids: whole numbers or text; cast it before")
    if role not in ("user", "item") and not (number or text or (time and role == "timestamp")):
        raise DataError(f"{what} holds {kind}, expected numbers{' or times' if role == 'timestamp' else ''}")
