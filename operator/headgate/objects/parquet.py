"""Rows in Parquet, in memory: parts of the archive are bounded."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from headgate.domain.archive import Form

Row = dict[str, Any]

_COMPRESSION = "zstd(9)"
_ROW_GROUP = 8192
"""Rows that are compressed together."""
_BATCH = 8192


class NotParquet(Exception):  # noqa: N818 - reads as what it says
    """The bytes are no Parquet that was written here."""


def encode(columns: Mapping[str, Form], pages: Iterable[Sequence[Sequence[Any]]]) -> bytes:
    """A file of rows, each with the values of ``columns`` in their order; times in microseconds since 1970. Blocks."""
    from arro3.core import Array, Field, RecordBatch, RecordBatchReader, Schema
    from arro3.io import write_parquet

    types = {name: _type(form) for name, form in columns.items()}
    schema = Schema([Field(name, type_, nullable=True) for name, type_ in types.items()])

    def batches() -> Iterator[Any]:
        for rows in pages:
            values = zip(*rows, strict=True) if rows else ((),) * len(types)
            yield RecordBatch.from_arrays(
                [_array(Array, list(column), type_) for column, type_ in zip(values, types.values(), strict=True)],
                schema=schema,
            )

    file = io.BytesIO()
    write_parquet(
        RecordBatchReader.from_batches(schema, list(batches())),
        file,
        compression=_COMPRESSION,
        max_row_group_size=_ROW_GROUP,
        created_by="headgate",
    )
    return file.getvalue()


def _type(form: Form) -> Any:
    from arro3.core import DataType

    match form:
        case Form.TEXT:
            return DataType.utf8()
        case Form.INTEGER:
            return DataType.int64()
        case Form.BOOLEAN:
            return DataType.bool()
        case Form.TIME:
            return DataType.timestamp("us", tz="UTC")


def _array(make: Any, values: list[Any], type_: Any) -> Any:
    from arro3.core import DataType

    if type_ == DataType.timestamp("us", tz="UTC"):
        return make(values, type=DataType.int64()).cast(type_)
    return make(values, type=type_)


def decode(content: bytes, columns: Iterable[str], *, by: str, wanted: frozenset[str] | None = None) -> list[Row]:
    """Rows of a file by the names of ``columns``, in their order; a column that the file has not is None. Blocks.

    With ``wanted``, those alone whose column ``by`` is one of them. Times are datetimes. Raises ``NotParquet``.
    """
    from arro3.io import read_parquet

    names = tuple(columns)
    try:
        return [row for batch in read_parquet(content, batch_size=_BATCH) for row in _rows(batch, names, by, wanted)]
    except BaseException as error:
        # The library panics where a file is none, which is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise NotParquet(f"a file of the archive cannot be read: {type(error).__name__}") from None


def _rows(batch: Any, names: tuple[str, ...], by: str, wanted: frozenset[str] | None) -> Iterator[Row]:
    from arro3.core import Array, DataType

    if wanted is not None:
        found = [index for index, key in enumerate(batch.column(by).to_pylist()) if key in wanted]
        if not found:
            return
        batch = batch.take(Array(found, type=DataType.int64()))
    there = frozenset(batch.schema.names)
    absent = [None] * batch.num_rows
    values = [batch.column(name).to_pylist() if name in there else absent for name in names]
    for row in zip(*values, strict=True):
        yield dict(zip(names, row, strict=True))
