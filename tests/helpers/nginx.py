"""A real nginx with TLS, as people put it in front of Airflow."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

from airflow_sagemaker_presign.local.supervised_process import SupervisedProcess
from tests.helpers.until import until

NGINX = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/certificate.pem;
        ssl_certificate_key {folder}/key.pem;
        location {prefix}/ {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""
"""What people write. All else is as Debian and nginx have it, the size of an answer's headers included."""


def installed() -> str | None:
    """Where nginx is, if it is on this machine."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def is_wanted() -> bool:
    """Return whether to run the tests of nginx: without it they are skipped, except in CI, where they fail."""
    return installed() is not None or bool(os.environ.get("CI"))


class Nginx:
    """
    nginx with TLS and a certificate that no client trusts.

    :param port: where it listens.
    :param upstream: the port that it leads to.
    :param prefix: the path of what it leads to; it keeps it.
    :param folder: for its files.
    """

    def __init__(self, port: int, upstream: int, prefix: str, folder: Path) -> None:
        self._folder = folder
        self._port = port
        # Started as root, its workers would run as a user that cannot write here.
        user = "user root;" if os.geteuid() == 0 else ""
        configuration = NGINX.format(folder=folder, port=port, upstream=upstream, prefix=prefix, user=user)
        (folder / "nginx.conf").write_text(configuration)
        self._process: SupervisedProcess | None = None

    def start(self, host: str) -> None:
        key, certificate = self._folder / "key.pem", self._folder / "certificate.pem"
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        subprocess.run(
            [*make, "-subj", f"/CN={host}", "-keyout", str(key), "-out", str(certificate)],
            check=True,
            capture_output=True,
        )
        log = self._folder / "nginx.log"
        command = [installed() or "nginx", "-p", str(self._folder), "-c", str(self._folder / "nginx.conf")]
        self._process = SupervisedProcess(command, log=log, env=dict(os.environ))
        until(self._listens, lambda: f"nginx listens. {log.read_text()[-3000:]}", timeout=120, interval=0.25)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
        except OSError:
            return False
        return True
