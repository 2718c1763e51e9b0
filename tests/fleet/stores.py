"""PostgreSQL and Redis of the fleet's own, in a folder that goes with them."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis

from airflow_sagemaker_presign.local.supervised_process import SupervisedProcess
from tests.helpers.ports import free_port

LOOPBACK = "127.0.0.1"
SERVANTS = ("postgres", "nobody")
"""Whom PostgreSQL runs as when we are root; it refuses to be root."""


class StoreFailed(RuntimeError):
    """PostgreSQL or Redis did not come up; the message has what it said last."""


@contextmanager
def postgresql(initdb: Path, postgres: Path) -> Iterator[str]:
    """
    Run PostgreSQL with a database ``airflow``; it listens on a socket in its folder and on no port.

    :param initdb: the program that makes it.
    :param postgres: the program that it is.
    :return: the database's address for psycopg; SQLAlchemy's has ``postgresql+psycopg`` in front.
    """
    # Not below the fleet's folder: who PostgreSQL runs as could not reach it there.
    folder = Path(tempfile.mkdtemp(prefix="fleet-postgresql-"))
    log = folder.with_suffix(".log")
    servant = _servant()
    try:
        as_servant: list[str] = []
        if servant:
            shutil.chown(folder, servant.pw_uid, servant.pw_gid)
            as_servant = ["setpriv", f"--reuid={servant.pw_uid}", f"--regid={servant.pw_gid}", "--clear-groups"]
        data = folder / "data"
        # It need not survive the machine, so it waits for no disk.
        make = [str(initdb), "-D", str(data), "-U", "airflow", "-A", "trust", "-E", "UTF8", "--no-sync"]
        _check(subprocess.run([*as_servant, *make], cwd=folder, capture_output=True, text=True, check=False))
        options = ["listen_addresses=", f"unix_socket_directories={folder}", "max_connections=200", "fsync=off"]
        options += ["synchronous_commit=off", "full_page_writes=off"]
        command = [str(postgres), "-D", str(data), *(word for option in options for word in ("-c", option))]
        process = SupervisedProcess([*as_servant, *command], log=log, env=os.environ, cwd=folder, grace=5)
        try:
            _until(process, "PostgreSQL", lambda: _make_database(folder))
            yield f"postgresql://airflow@/airflow?host={folder}"
        finally:
            process.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        log.unlink(missing_ok=True)


@contextmanager
def redis_server(program: Path, folder: Path) -> Iterator[str]:
    """
    Run Redis on a free port of loopback; it keeps nothing on disk.

    :param program: ``redis-server``.
    :param folder: for its log.
    :return: its address.
    """
    port = free_port()
    command = [str(program), "--bind", LOOPBACK, "--port", str(port), "--save", "", "--appendonly", "no"]
    process = SupervisedProcess(command, log=folder / "redis.log", env=os.environ, cwd=folder, grace=5)
    try:
        with redis.Redis(host=LOOPBACK, port=port) as client:
            _until(process, "Redis", lambda: bool(client.ping()))
        yield f"redis://{LOOPBACK}:{port}/0"
    finally:
        process.stop()


def _servant() -> pwd.struct_passwd | None:
    if os.getuid() != 0:
        return None
    names = {user.pw_name: user for user in pwd.getpwall()}
    return next(names[name] for name in SERVANTS if name in names)


def _make_database(folder: Path) -> bool:
    with psycopg.connect(f"postgresql://airflow@/postgres?host={folder}", autocommit=True) as connection:
        connection.execute("CREATE DATABASE airflow")
    return True


def _check(ended: subprocess.CompletedProcess[str]) -> None:
    if ended.returncode:
        raise StoreFailed(f"PostgreSQL's database could not be made: {ended.stderr.strip() or ended.stdout.strip()}")


def _until(process: SupervisedProcess, name: str, answers: Callable[[], bool], timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            if answers():
                return
        except (psycopg.OperationalError, redis.ConnectionError) as error:
            if process.returncode() is not None or time.monotonic() > deadline:
                raise StoreFailed(
                    f"{name} does not answer ({error}). The end of what it said:\n{process.tail()}"
                ) from None
        time.sleep(0.1)
