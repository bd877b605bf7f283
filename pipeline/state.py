"""The database of a dataset's state: SQLite beside its lake by default, PostgreSQL or another by setting."""

from typing import TYPE_CHECKING, Any

from pipeline.errors import ChurnError
from pipeline.lake import Lake
from pipeline.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine, Table

BUSY_SECONDS = 60  # how long a writer waits for another one; a month of a million customers is written in about that


def state_engine(settings: Settings, lake: Lake) -> "Engine":
    """An engine over `settings.state_url`, or over `state.db` in the lake's folder.

    Raises:
        ChurnError: the lake is in an object store, which SQLite cannot live in.
    """
    import sqlalchemy as sa

    url = settings.state_url.get_secret_value() if settings.state_url else f"sqlite:///{_local_file(lake)}"
    engine = sa.create_engine(url, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def create_if_missing(engine: "Engine", table: "Table") -> None:
    """Create a table and its indexes; two processes may do so at once."""
    import sqlalchemy as sa

    try:
        table.create(engine, checkfirst=True)
    except sa.exc.DBAPIError:  # the other process was quicker between the look and the creation
        table.create(engine, checkfirst=True)


def _local_file(lake: Lake) -> str:
    if lake.root.protocol not in ("", "file", "local"):
        raise ChurnError(
            f"state of {lake.root}",
            expected="a database URL in CHURN_STATE_URL, because the home is an object store",
            found="none",
            remedy="Set CHURN_STATE_URL, for example to postgresql+psycopg2://churn@localhost/churn.",
        )
    lake.root.mkdir(parents=True, exist_ok=True)
    return str(lake.root / "state.db")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Readers and one writer at a time do not wait for each other, and writers wait instead of failing."""
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()
