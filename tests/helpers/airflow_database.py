"""A database with Airflow's own tables, in a file; without its migrations, which take half a minute."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, configure_mappers, sessionmaker

Sessions = Callable[[], Session]


def make_tables(path: Path) -> None:
    """Make all tables in a file."""
    from airflow.models import import_all_models
    from airflow.models.base import Base

    import_all_models()
    # Here, so that what older Airflows do with a newer SQLAlchemy is not attributed to the first caller.
    configure_mappers()
    engine = _engine(path)
    Base.metadata.create_all(engine)
    engine.dispose()


@contextmanager
def opened(path: Path) -> Iterator[Sessions]:
    """Open a file."""
    engine = _engine(path)
    yield sessionmaker(engine)
    engine.dispose()


def insert(sessions: Sessions, table: str, **values: Any) -> None:
    """Put a row into a table; columns that have to have a value, and are not given, get one that means nothing."""
    from airflow.models.base import Base

    for column in Base.metadata.tables[table].columns:
        if not (column.nullable or column.server_default is not None or column.name in values):
            values[column.name] = _nothing(column.type)
    names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    with sessions() as session:
        session.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)
        session.commit()


def _nothing(kind: Any) -> Any:
    if "TIME" in str(kind).upper():
        return "2026-06-15 09:30:00.000000"
    return {"UUID": "0" * 32, "str": ""}.get(kind.python_type.__name__, 0)


def _engine(path: Path) -> Any:
    return create_engine(f"sqlite:///{path}", connect_args={"timeout": 60})
