"""What DuckDB is asked: the ratings of Parquet files, checked, with numbered items, in the order of a CSR matrix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aerec.datasets.readers.columns import Columns
from aerec.datasets.readers.parquet import check_type
from aerec.errors import DataError, warn_caller
from aerec.frames import Duplicates
from aerec.numerals import NUMBER
from aerec.system.extras import import_extra
from aerec.times import DATE_FORMATS, TIME_UNITS, range_of_unit, warn_of_coarse_times

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT")
_INT64_MAX = 2**63 - 1
_EXACT = {"FLOAT": 2**24, "DOUBLE": 2**53}  # From here on a float stands for several whole numbers


@dataclass(frozen=True)
class Block:
    """Consecutive ratings, sorted by user and item.

    Attributes
    ----------
    new_users : pyarrow.Table
        The ids of the users who begin here.
    is_new_user, counts : ndarray of bool, shape (n,)
        Whether a rating is the first of its user, and whether it is the one that counts for its user and item.
    items : ndarray of int64, shape (n,)
    ratings : ndarray of float32, shape (n,)
    times : ndarray of shape (n,)
        Empty where there are none.
    """

    new_users: Any
    is_new_user: NDArray[np.bool_]
    counts: NDArray[np.bool_]
    items: NDArray[np.int64]
    ratings: NDArray[np.float32]
    times: NDArray[Any]


class RatingsQuery:
    """The ratings in `files`, through a connection to DuckDB.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    files : list of Path
    columns : Columns
    label : str
        What messages call the files.
    duplicates : "last" or "first", default "last"
        Which rating of a user and item counts.

    Raises
    ------
    DataError
        If a column is missing, or of a type that cannot be an id, a rating or a time.
    """

    def __init__(
        self, connection: Any, files: list[Path], columns: Columns, label: str, duplicates: Duplicates = "last"
    ) -> None:
        self._connection, self._label = connection, label
        self._order = "t, number, n" if duplicates == "last" else "t DESC, number DESC, n DESC"  # what counts is last
        names = ", ".join(_text(str(file)) for file in files)
        raw = (
            f"read_parquet([{names}], hive_partitioning = true, union_by_name = true, filename = 'aerec_file', "
            "file_row_number = true)"
        )
        described = connection.execute(f"DESCRIBE SELECT * FROM {raw}").fetchall()
        types = {row[0]: row[1] for row in described if row[0] not in ("aerec_file", "file_row_number")}
        located = columns.locate(list(types), label)
        self._refuse_types(files, {name: role for role, name in located.items()})
        self.has_times = "timestamp" in located
        self.ids_ = {role: self._id(located[role], types[located[role]], raw) for role in ("user", "item")}
        self._refuse_repeated(located.values(), names)
        rating = (
            self._rating(located["rating"], types[located["rating"]]) if "rating" in located else "CAST(1 AS FLOAT)"
        )
        time = self._time(located["timestamp"], types[located["timestamp"]], raw) if self.has_times else "0"
        self.times_type = np.float64 if time.endswith("AS DOUBLE)") else np.int64
        connection.execute("CREATE TEMP TABLE files (file VARCHAR, number BIGINT)")
        connection.executemany("INSERT INTO files VALUES (?, ?)", [[str(file), at] for at, file in enumerate(files)])
        self._ratings = (
            f"(SELECT {self.ids_['user']} AS u, {self.ids_['item']} AS i, {rating} AS r, {time} AS t, "
            f"aerec_file AS f, file_row_number AS n FROM {raw})"
        )

    def check(self) -> int:
        """Return the number of rows, after a look at every one.

        Raises
        ------
        DataError
            If there are none, or one has no id, or no time or rating that is a finite number; says how many.
        """
        faults = {
            "no user": "u IS NULL" if self._whole("user") else "u IS NULL OR u = ''",
            "no item": "i IS NULL" if self._whole("item") else "i IS NULL OR i = ''",
            "no finite rating": "r IS NULL OR NOT isfinite(r)",
            "a rating beyond 2^24, so perhaps a time or an id": "abs(r) > 16777216",
        }
        if self.has_times:
            faults["no timestamp"] = "t IS NULL"
            faults["no finite timestamp"] = "NOT isfinite(CAST(t AS DOUBLE))"
        counts = ", ".join(f"count(*) FILTER (WHERE {fault})" for fault in faults.values())
        n_rows, *counted = self._connection.execute(f"SELECT count(*), {counts} FROM {self._ratings}").fetchall()[0]
        if n_rows == 0:
            raise DataError(f"{self._label} has columns and no ratings")
        for name, count in zip(faults, counted, strict=True):
            if count:
                raise DataError(f"{self._label}: {count:,} of {n_rows:,} rows have {name}; repair or remove them")
        return int(n_rows)

    def write_items(self, path: Path) -> int:
        """Number the items in the order of their ids, write the ids to `path`, and return how many there are."""
        self._connection.execute(
            "CREATE TEMP TABLE items AS SELECT i AS id, row_number() OVER (ORDER BY i) - 1 AS code "
            f"FROM (SELECT DISTINCT i FROM {self._ratings})"
        )
        self._connection.execute(f"COPY (SELECT id FROM items ORDER BY code) TO {_text(str(path))} (FORMAT parquet)")
        return int(self._connection.execute("SELECT count(*) FROM items").fetchall()[0][0])

    @property
    def users_schema(self) -> Any:
        """The Arrow schema of a table of users: the one column "id"."""
        arrow = import_extra("pyarrow.parquet", f"{self._label}: Parquet")
        return arrow.core.pa.schema([("id", arrow.core.pa.int64() if self._whole("user") else arrow.core.pa.string())])

    def blocks(self, size: int) -> Iterator[Block]:
        """Stream all ratings, about `size` at a time; after `write_items`."""
        arrow = import_extra("pyarrow.parquet", f"{self._label}: Parquet").core.pa
        self._connection.execute("SET preserve_insertion_order = true")  # or the sorted rows may come out of order
        relation = self._connection.sql(
            f"SELECT u AS id, code, r, t FROM {self._ratings} AS ratings JOIN items ON ratings.i = items.id "
            f"JOIN files ON ratings.f = files.file ORDER BY u, code, {self._order}"
        )
        read = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader  # newer and older DuckDB
        pending = None  # the last rating so far, which counts unless the next one replaces it
        pending_is_new = True
        for batch in read(size):
            table = arrow.Table.from_batches([batch])
            if table.num_rows == 0:
                continue
            if pending is not None:
                table = arrow.concat_tables([pending, table])
            changed, ended = self._changes(table)
            yield self._block(table.slice(0, table.num_rows - 1), np.append(pending_is_new, changed[:-1]), ended)
            pending = table.slice(table.num_rows - 1).combine_chunks()
            pending_is_new = bool(changed[-1]) if changed.size else pending_is_new
        assert pending is not None
        yield self._block(pending, np.array([pending_is_new]), np.array([True]))

    def _changes(self, table: Any) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """For each rating but the first: whether its user is another than the one before; and whether the pair is."""
        import pyarrow.compute as compute

        users, n = table.column("id").combine_chunks(), table.num_rows
        later, earlier = users.slice(1), users.slice(0, n - 1)
        changed = compute.not_equal(later, earlier).to_numpy(zero_copy_only=False)
        ascending = compute.greater_equal(later, earlier).to_numpy(zero_copy_only=False)
        steps = np.diff(table.column("code").to_numpy())
        if not (ascending & (changed | (steps >= 0))).all():
            raise DataError("DuckDB gave the ratings out of order; try another version of it")
        return changed, changed | (steps != 0)

    def _block(self, table: Any, is_new: NDArray[np.bool_], is_last: NDArray[np.bool_]) -> Block:
        is_new = is_new[: table.num_rows]
        return Block(
            table.select(["id"]).filter(_mask(is_new)).cast(self.users_schema),
            is_new,
            is_last,
            table.column("code").to_numpy(),
            table.column("r").to_numpy(),
            table.column("t").to_numpy(),
        )

    def _whole(self, role: str) -> bool:
        return self.ids_[role].endswith("AS BIGINT)")

    def _id(self, name: str, kind: str, raw: str) -> str:
        if kind in _EXACT and self._are_whole(name, _EXACT[kind], raw):
            warn_caller(
                f"{self._label}, column {name!r}: the ids are whole numbers with a decimal point; 1.0 is read as 1"
            )
            kind = "BIGINT"
        if kind in ("UBIGINT", "HUGEINT") and self._count(raw, f"{_name(name)} > {_INT64_MAX}"):
            raise DataError(
                f"{self._label}, column {name!r}: a store holds ids up to {_INT64_MAX:,}, some are larger; make the "
                "column text before, or use read_ratings"
            )
        if kind in _WHOLE:
            return f"CAST({_name(name)} AS BIGINT)"
        if kind in ("VARCHAR", "UUID") or kind.startswith("ENUM"):
            return f"CAST({_name(name)} AS VARCHAR)"
        raise DataError(
            f"{self._label}: ids must be whole numbers or text, column {name!r} is {kind}; cast it to int64 or to text "
            "before"
        )

    def _are_whole(self, name: str, exact: int, raw: str) -> bool:
        """Whether floats are whole numbers, none so large that it stands for several."""
        column = _name(name)
        return not self._count(raw, f"NOT ({column} = floor({column}) AND abs({column}) < {exact})")

    def _rating(self, name: str, kind: str) -> str:
        """A number of 32 bits; none where it is no number as files write one, or so small that it would be 0."""
        column = _name(name)
        number = f"CAST({column} AS FLOAT)"
        if kind == "VARCHAR":  # DuckDB reads 1_0 as 10
            number = f"CASE WHEN regexp_full_match(trim({column}), '{NUMBER.pattern}', 'i') THEN {number} END"
        if kind in ("VARCHAR", "DOUBLE"):
            return f"(CASE WHEN {number} <> 0 OR TRY_CAST({column} AS DOUBLE) = 0 THEN {number} END)"
        return number

    def _refuse_types(self, files: list[Path], roles: dict[str, str]) -> None:
        """Refuse columns that DuckDB takes for what they are not: durations are whole numbers to it."""
        read_schema = import_extra("pyarrow.parquet", f"{self._label}: Parquet").read_schema
        for file in files:
            for field in read_schema(file):
                if field.name in roles:
                    check_type(field.type, roles[field.name], f"{file}: the column {field.name!r}")

    def _refuse_repeated(self, columns: Iterable[str], files: str) -> None:
        """Refuse files with two columns of a name that is read: DuckDB would call the second another."""
        wanted = ", ".join(map(_text, columns))
        found = self._connection.execute(
            f"SELECT name FROM parquet_schema([{files}]) WHERE name IN ({wanted}) "
            "GROUP BY file_name, name HAVING count(*) > 1"
        ).fetchone()
        if found is not None:
            raise DataError(f"{self._label}: the column {found[0]!r} stands twice; rename one of them")

    def _time(self, name: str, kind: str, raw: str) -> str:
        if kind in (*_WHOLE, "FLOAT", "DOUBLE") or kind.startswith("DECIMAL"):
            if date := self._date(name, raw):
                return self._seconds(date, raw)
            per_second = self._per_second(name, raw)
            if kind not in _WHOLE or (per_second > 1 and self._count(raw, f"{_name(name)} % {per_second} <> 0")):
                return f"CAST({_name(name)} / {per_second} AS DOUBLE)"
            return f"CAST({_name(name)} // {per_second} AS BIGINT)"
        if kind == "VARCHAR":  # ISO 8601
            return self._seconds(f"CAST({_name(name)} AS TIMESTAMPTZ)", raw)
        if kind.startswith(("TIMESTAMP", "DATE")):
            return self._seconds(_name(name), raw)
        raise DataError(f"{self._label}: column {name!r} is {kind}: neither numbers nor dates; pass timestamp=None")

    def _date(self, name: str, raw: str) -> str | None:
        """Return times that are dates written as whole numbers, such as 20200131, as dates; see `format_of_dates`."""
        text = f"CAST(TRY_CAST({_name(name)} AS HUGEINT) AS VARCHAR)"
        if not self._count(raw, "true"):
            return None
        for form in DATE_FORMATS.values():
            date = f"try_strptime({text}, '{form}')"
            fits = f"strftime({date}, '{form}') = {text} AND year({date}) BETWEEN 1900 AND 2100"
            if not self._count(raw, f"NOT coalesce({fits} AND {_name(name)} = floor({_name(name)}), false)"):
                first = self._connection.execute(f"SELECT {text}, CAST({date} AS VARCHAR) FROM {raw}").fetchone()
                warn_caller(
                    f"{self._label}, column {name!r} holds dates written as numbers: {first[0]} is read as {first[1]}"
                )
                return date
        return None

    def _per_second(self, name: str, raw: str) -> int:
        """Return what times are divided by to be seconds, as `plain_times` finds it."""
        column = _name(name)
        ranges = [range_of_unit(each) for each in (1, *TIME_UNITS.values())]
        counts = ", ".join(f"count(*) FILTER (WHERE {column} BETWEEN {low} AND {high})" for low, high in ranges)
        ends = f"CAST(min({column}) AS DOUBLE), CAST(max({column}) AS DOUBLE)"
        found = self._connection.execute(f"SELECT count({column}), {ends}, {counts} FROM {raw}").fetchone()
        n_times, low, high, in_seconds, *in_units = found
        if n_times:
            warn_of_coarse_times(low, high, f"{self._label}, column {name!r},")
        for (unit, per_second), in_unit in zip(TIME_UNITS.items(), in_units, strict=True):
            if in_unit and in_unit == n_times:
                warn_caller(
                    f"{self._label}, column {name!r}: the times are {unit} since 1970 and were divided by "
                    f"{per_second:,}"
                )
                return per_second
            if in_unit and in_seconds and in_unit + in_seconds == n_times:
                raise DataError(
                    f"{self._label}, column {name!r}: {in_unit:,} of {n_times:,} times are {unit}, the others seconds; "
                    "give all of them in one unit"
                )
            if 2 * in_unit > n_times:
                raise DataError(
                    f"{self._label}, column {name!r}: {n_times - in_unit:,} of {n_times:,} times can be no {unit} "
                    "since 1970, as most are; correct or leave them out"
                )
        return 1

    def _seconds(self, date: str, raw: str) -> str:
        """Seconds since 1970: whole numbers where all are whole, else with their fractions."""
        seconds = f"epoch({date})"
        return f"CAST({seconds} AS {'DOUBLE' if self._count(raw, f'{seconds} <> floor({seconds})') else 'BIGINT'})"

    def _count(self, raw: str, condition: str) -> int:
        """Return how many rows of the files are so."""
        return int(self._connection.execute(f"SELECT count(*) FROM {raw} WHERE {condition}").fetchone()[0])


def _mask(values: NDArray[np.bool_]) -> Any:
    import pyarrow

    return pyarrow.array(values)


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
