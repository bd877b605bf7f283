"""Tables on disk: Parquet, one folder per layer, table and month, written whole or not at all."""

import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from upath import UPath

from pipeline.errors import SourceError
from pipeline.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa  # imported where it is used: the service writes files too, and reads no tables

Layer = Literal["raw", "trusted", "quarantine", "features", "labels", "scores", "call_lists", "replay"]


@dataclass(frozen=True)
class Lake:
    """Everything one dataset has on disk, under `$CHURN_HOME/<dataset>`."""

    root: UPath

    def path(self, layer: Layer, table: str, key: str) -> UPath:
        """Where a table of a month lies."""
        return self.root.joinpath(layer, table, f"{key}.parquet")

    def write(self, rows: "pa.Table", layer: Layer, table: str, key: str) -> UPath:
        """Write a table of a month; readers see the old one until the new one is whole."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink, compression="zstd")
        path = self.path(layer, table, key)
        write_atomically(path, sink.getvalue().to_pybytes())
        return path

    def read(
        self,
        layer: Layer,
        table: str,
        key: str,
        columns: Sequence[str] | None = None,
        *,
        as_codes: Sequence[str] = (),
    ) -> "pa.Table":
        """Read a table of a month; text columns named in `as_codes` keep the numbers that the file has for values.

        Raises:
            SourceError: it is not there, or it cannot be read.
        """
        path = self.path(layer, table, key)
        if not path.exists():
            raise SourceError(
                f"{layer} table {table!r}, month {key}",
                expected=f"a file at {path}",
                found="none",
                remedy="Run the month that writes it first.",
            )
        return read_parquet(path, columns=columns, as_codes=as_codes)

    def keys(self, layer: Layer, table: str) -> list[str]:
        """The months that a table has, oldest first."""
        folder = self.root / layer / table
        if not folder.exists():
            return []
        return sorted(path.stem for path in folder.iterdir() if path.suffix == ".parquet")

    def digest(self, layer: Layer, table: str, keys: Iterable[str]) -> str:
        """SHA-256 over the bytes of a table's months, for data versions."""
        digest = hashlib.sha256()
        for key in sorted(keys):
            digest.update(key.encode())
            digest.update(hashlib.sha256(self.path(layer, table, key).read_bytes()).digest())
        return digest.hexdigest()


def lake_of(settings: Settings, dataset_name: str) -> Lake:
    """The lake of a dataset."""
    return Lake(settings.root() / dataset_name)


def read_parquet(path: UPath, columns: Sequence[str] | None = None, *, as_codes: Sequence[str] = ()) -> "pa.Table":
    """Read one Parquet file, or raise a SourceError that says which file is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:
            wanted = None if columns is None else list(columns)
            return pq.read_table(pa.BufferReader(file.read()), columns=wanted, read_dictionary=list(as_codes))
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(
            f"file {path}",
            expected="a whole Parquet file",
            found=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
            remedy="It is damaged or cut short: restore it or run the step that writes it again.",
        ) from error


def write_atomically(path: UPath, content: bytes) -> None:
    """Write a file so that nobody, and no power cut, ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}.tmp"
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            if _is_local(path):
                os.fsync(file.fileno())
        if _is_local(path):
            os.replace(str(temporary), str(path))
            _sync_folder(Path(str(path.parent)))
        else:
            temporary.rename(path)
    finally:
        if temporary.exists():
            temporary.unlink()


def write_json(path: UPath, value: Any) -> None:
    """Write a value as readable JSON with sorted keys, atomically; the same value gives the same bytes."""
    write_atomically(path, canonical_json(value))


def canonical_json(value: Any) -> bytes:
    """The one JSON form of a value that digests are taken of."""
    return (json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def _is_local(path: UPath) -> bool:
    return path.protocol in ("", "file", "local")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
