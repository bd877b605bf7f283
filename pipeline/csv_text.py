"""One CSV file as a table of texts, or an error that says what is wrong with it and where.

Nothing is guessed: no types, no skipped lines, no replaced characters. An empty value stays an empty text.
"""

import csv
import io

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from pipeline.errors import SourceError

_WHOLE_REMEDY = "Get the whole file again."
_WRONG_ROWS_NAMED = 3


def table_from_csv(content: bytes, where: str, delimiter: str = ",") -> pa.Table:
    """Every value of a CSV file as text, under the names in its first line.

    Args:
        content: the file's bytes, UTF-8.
        where: names the file and table in errors.
        delimiter: what stands between two values.

    Raises:
        SourceError: the file is empty, cut short, not UTF-8 text, has NULs, doubled names, a repeated header or rows of
            another length.
    """
    _refuse_what_is_no_text(content, where)
    _refuse_cut(content, where)
    names = _header(content, where, delimiter)
    rows = _rows(content, names, where, delimiter)
    _refuse_repeated_header(rows, names, where)
    return rows


def _refuse_what_is_no_text(content: bytes, where: str) -> None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{where}, line {_line_of(content, error.start)}",
            expected="UTF-8 text",
            found=f"the byte 0x{content[error.start]:02x}, which is not part of any",
            remedy="Save the file as UTF-8; most often it is Latin-1, Windows-1252 or UTF-16.",
        ) from None
    if (place := content.find(b"\0")) >= 0:
        raise SourceError(
            f"{where}, line {_line_of(content, place)}",
            expected="text",
            found="a NUL byte",
            remedy=f"The file is damaged, or it is UTF-16: save it as UTF-8. {_WHOLE_REMEDY}",
        )


def _refuse_cut(content: bytes, where: str) -> None:
    if not content.strip():
        raise SourceError(where, expected="a header and rows", found="an empty file", remedy=_WHOLE_REMEDY)
    if content.count(b'"') % 2:
        raise SourceError(
            where,
            expected="every quoted value to end",
            found="a quote without its counterpart",
            remedy=f"The file was cut inside a value, or a quote within a value is not doubled. {_WHOLE_REMEDY}",
        )
    if not content.endswith((b"\n", b"\r")):
        raise SourceError(
            f"{where}, last line",
            expected="a line end after the last row",
            found=repr(content[-30:].decode("utf-8", errors="replace")),
            remedy="The file is cut short: get it again. If it is whole, end it with a line end.",
        )


def _header(content: bytes, where: str, delimiter: str) -> list[str]:
    """The names in the first line, which may hold quoted ones."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    names = next(csv.reader(text, delimiter=delimiter))
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise SourceError(
            f"{where}, header",
            expected="columns with different names",
            found=f"{', '.join(map(repr, doubled))} more than once",
            remedy="Rename or remove one of them at the source.",
        )
    return names


def _rows(content: bytes, names: list[str], where: str, delimiter: str) -> pa.Table:
    wrong: list[pa.csv.InvalidRow] = []

    def note(row: pa.csv.InvalidRow) -> str:
        wrong.append(row)
        return "skip"

    rows = pa.csv.read_csv(
        pa.BufferReader(content),
        read_options=pa.csv.ReadOptions(use_threads=False),  # only then are rows numbered
        parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note),
        convert_options=pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    if wrong:
        raise SourceError(
            f"{where}, row {wrong[0].number} (the header is row 1)",
            expected=f"{len(names)} values in every row",
            found=f"{wrong[0].actual_columns} in {wrong[0].text[:80]!r}, and {len(wrong)} such rows in all",
            remedy=f"The file is cut short, or a value with {delimiter!r} in it is not quoted. {_WHOLE_REMEDY}",
        )
    return rows


def _refuse_repeated_header(rows: pa.Table, names: list[str], where: str) -> None:
    repeats = pc.equal(rows.column(0), names[0])
    for i, name in enumerate(names[1:], start=1):
        repeats = pc.and_(repeats, pc.equal(rows.column(i), name))
    place = pc.index(repeats, True).as_py()
    if place >= 0:
        raise SourceError(
            f"{where}, row {place + 2} (the header is row 1)",
            expected="the header once, in the first line",
            found="the header again, as a row",
            remedy="Remove it: most often several files were joined with their headers.",
        )


def _line_of(content: bytes, place: int) -> int:
    return content.count(b"\n", 0, place) + 1
