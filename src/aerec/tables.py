"""Tables of pandas, polars and Arrow: their columns in pandas, without extension types, and the way back."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from aerec.errors import DataError, MissingExtraError
from aerec.system.extras import import_extra

_ANSWERS = (("yes", "no"), ("y", "n"), ("true", "false"), ("t", "f"))
_TRUTH = {word: truth for yes, no in _ANSWERS for word, truth in ((yes, 1.0), (no, 0.0))}
_KINDS = ("pandas", "polars", "arrow")


def read_columns(df: Any, wanted: Sequence[str] | None = None) -> tuple[pd.DataFrame, list[Any]]:
    """Return the columns of a frame of any library in pandas, and the names of all its columns.

    Parameters
    ----------
    df : pandas.DataFrame, polars.DataFrame, polars.LazyFrame, pyarrow.Table, or any Arrow stream
        What is not pandas needs pyarrow. A lazy frame is collected, with no more columns than wanted.
    wanted : sequence of str, optional
        By default all; those that are not there are passed over.

    Raises
    ------
    TypeError
        If `df` is no frame.
    DataError
        If a wanted column stands twice, or the query of a lazy frame fails.
    MissingExtraError
        If pyarrow is needed and not installed.
    """
    if isinstance(df, pd.DataFrame):
        names = list(df.columns)
        _refuse_repeated(names, wanted)
        return df, names
    if hasattr(df, "collect_schema") and hasattr(df, "collect"):  # a lazy frame of polars
        try:
            names = df.collect_schema().names()
            collected = df.select(_in(names, wanted)).collect()
        except Exception as error:
            if not type(error).__module__.startswith("polars"):
                raise
            raise DataError(f"the query of the lazy frame{_sources(df)} fails: {str(error).splitlines()[0]}") from error
        return read_columns(collected, wanted)[0], names
    is_stream = hasattr(df, "__arrow_c_stream__") or hasattr(df, "__arrow_c_array__")
    if not is_stream or isinstance(df, pd.Series):
        raise TypeError(
            f"expected a frame of pandas or polars or an Arrow table, got {type(df).__name__}; "
            "pandas.DataFrame(…) makes a frame of lists and arrays, Interactions.from_matrix reads a matrix"
        )
    import_extra("pyarrow", f"reading a {type(df).__module__.partition('.')[0]} frame")
    import pyarrow

    is_polars = type(df).__module__.startswith("polars")
    try:
        table = pyarrow.table(_selected(df, _in(df.columns, wanted)) if is_polars else df)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:  # Int128 of polars
        raise DataError(f"the frame cannot be read by way of Arrow: {error}; cast such a column before") from None
    _refuse_repeated(table.column_names, wanted)
    columns = {name: _of_arrow(table.column(name)) for name in _in(table.column_names, wanted)}
    return pd.DataFrame(columns), list(df.columns) if is_polars else table.column_names


def as_frame_of(frame: pd.DataFrame, kind: str) -> Any:
    """Return a frame in the form of another library, which `check_frame_kind` has seen, without its index.

    Parameters
    ----------
    frame : pandas.DataFrame
    kind : {"pandas", "polars", "arrow"}

    Raises
    ------
    MissingExtraError
        If pyarrow, or polars, is needed and not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> from aerec.tables import as_frame_of
    >>> as_frame_of(pd.DataFrame({"user": [1, 2]}), "arrow").column_names
    ['user']
    """
    if kind == "pandas":
        return frame
    pyarrow = import_extra("pyarrow", f"as_frame={kind!r}")
    table = pyarrow.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    if kind == "arrow":
        return table
    try:
        import polars
    except ImportError:
        raise MissingExtraError("as_frame='polars' needs polars: pip install polars") from None
    return polars.from_arrow(table)


def check_frame_kind(kind: str) -> None:
    """Refuse a form of frames that there is not, before anything takes long."""
    if kind not in _KINDS:
        raise ValueError(f"as_frame is one of {', '.join(map(repr, _KINDS))}, got {kind!r}")


def plain(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return `column` without an extension type of pandas; one with missing values may keep it."""
    dtype: Any = column.dtype
    if isinstance(dtype, pd.ArrowDtype):
        return _of_arrow(column.array.__arrow_array__())
    if isinstance(dtype, pd.SparseDtype):
        return pd.Series(np.asarray(column))
    numpy_dtype = getattr(dtype, "numpy_dtype", None)  # of pandas' own nullable numbers
    if numpy_dtype is not None and not column.isna().any():
        return pd.Series(column.to_numpy(dtype=numpy_dtype))
    return column


def without_categories(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return `column` with the values of its categories, where it has any."""
    dtype: Any = column.dtype
    return pd.Series(column.array, dtype=dtype.categories.dtype) if isinstance(dtype, pd.CategoricalDtype) else column


def truth_values(column: pd.Series[Any]) -> pd.Series[float]:
    """Return 1 for yes, y, true and t, 0 for no, n, false and f, in any case, and NaN for all else."""
    values = (_TRUTH.get(value.strip().lower(), np.nan) if isinstance(value, str) else np.nan for value in column)
    return pd.Series(np.fromiter(values, np.float64, len(column)), index=column.index)


def says_yes_and_no(values: Iterable[Any]) -> bool:
    """Whether values are yes and no, both of them: in words, as truth values, or as 1 and 0.

    Examples
    --------
    >>> from aerec.tables import says_yes_and_no
    >>> says_yes_and_no(["Yes", "no", "no"]), says_yes_and_no([1, 0]), says_yes_and_no(["yes"])
    (True, True, False)
    """
    distinct = {str(value).strip().lower() for value in values}
    return any(distinct == {*pair} for pair in (*_ANSWERS, ("1", "0")))


def first_row(mask: pd.Series[Any]) -> int:
    """Return the number of the first row in which `mask` is true."""
    return int(np.argmax(mask.to_numpy(dtype=bool)))


def _of_arrow(column: Any) -> pd.Series[Any]:
    """Return an Arrow column in pandas: decimals as numbers, dates as datetimes."""
    import pyarrow

    kind = column.type
    if pyarrow.types.is_decimal(kind):
        try:
            column = column.cast(pyarrow.int64() if kind.scale == 0 else pyarrow.float64())
        except pyarrow.ArrowInvalid:  # more than 64 bits
            column = column.cast(pyarrow.float64())
    elif pyarrow.types.is_date(kind):
        column = column.cast(pyarrow.timestamp("s" if pyarrow.types.is_date32(kind) else "ms"))
    elif pyarrow.types.is_nested(kind):
        return pd.Series(column.to_pylist(), dtype=object)
    elif str(kind) == "string_view":  # not known to older versions of pyarrow by a type of its own
        column = column.cast(pyarrow.large_string())
    series: pd.Series[Any] = column.to_pandas()
    return series


def _refuse_repeated(names: list[Any], wanted: Sequence[str] | None) -> None:
    for name in names if wanted is None else wanted:
        if names.count(name) > 1:
            raise DataError(f"the column {name!r} stands twice in the frame; rename one of them")


def _sources(df: Any) -> str:
    """Return which files a lazy frame of polars reads, where its plan says so."""
    with contextlib.suppress(Exception):  # a plan with a mistake in it
        sources = re.findall(r"SCAN \[(.*)\]", df.explain(optimized=False))
        return f" over {', '.join(sources)}" if sources else ""
    return ""


def _selected(df: Any, names: list[str]) -> Any:
    """Return columns of a frame of polars; a DataError where it would hand over objects as addresses in memory."""
    for name in names:
        if str(df.schema[name]).startswith("Object"):
            raise DataError(f"the column {name!r} holds objects of Python, expected numbers or text; convert it before")
    return df.select(names)


def _in(names: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    return [name for name in names if wanted is None or name in wanted]
