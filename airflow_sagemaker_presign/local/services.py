"""All local services, started and stopped together."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID

from airflow_sagemaker_presign.local.clock import LocalClock
from airflow_sagemaker_presign.local.http_server import LOOPBACK, HttpServer, bind
from airflow_sagemaker_presign.local.inbox.mailbox import Inbox
from airflow_sagemaker_presign.local.inbox.page import inbox_blueprint
from airflow_sagemaker_presign.local.inbox.slack import SlackStandIn
from airflow_sagemaker_presign.local.inbox.smtp import SmtpServer
from airflow_sagemaker_presign.local.jupyter.activity import Activity, JupyterActivity
from airflow_sagemaker_presign.local.jupyter.control import activity_blueprint
from airflow_sagemaker_presign.local.jupyter.labs import JupyterLabs
from airflow_sagemaker_presign.local.jupyter.reverse_proxy import NotebookReverseProxy
from airflow_sagemaker_presign.local.sagemaker_api.control import control_blueprint
from airflow_sagemaker_presign.local.sagemaker_api.local_sagemaker import DEFAULT_REGION, LocalSageMaker

MAX_BUSY_SECONDS = 7 * 86400


class LocalServices:
    """
    SageMaker, JupyterLabs, a mail server, Slack and an inbox, on loopback.

    :param port: for the SageMaker API and all pages; 0 for a free one.
    :param smtp_port: for mail; 0 for a free one.
    :param jupyter: run a real JupyterLab for each presigned URL. False: the URLs have AWS's form and open nothing.
    :param start_seconds: how long a notebook instance's start takes.
    :param stop_seconds: how long its stop takes.
    :param training_seconds: how long a training job takes.
    :param notebooks: notebook instances that exist, Stopped, from the start.
    :param clock: the clock.
    :param folder: where JupyterLab keeps its notebooks and log. None: a folder that is removed at the end.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        smtp_port: int = 0,
        jupyter: bool = True,
        start_seconds: float = 10,
        stop_seconds: float = 5,
        training_seconds: float = 2,
        notebooks: tuple[str, ...] = ("research",),
        clock: LocalClock | None = None,
        folder: Path | None = None,
    ) -> None:
        self.clock = clock or LocalClock()
        self.sagemaker = LocalSageMaker(
            clock=self.clock,
            start_seconds=start_seconds,
            stop_seconds=stop_seconds,
            training_seconds=training_seconds,
            notebooks=notebooks,
        )
        self.inbox = Inbox(self.clock)
        self.port, self.smtp_port = port, smtp_port
        self.jupyter: JupyterLabs | None = None
        self._proxy: NotebookReverseProxy | None = None
        self._wants_jupyter = jupyter
        self._folder = folder
        self._smtp: SmtpServer | None = None
        self._stack = contextlib.ExitStack()

    def start(self) -> LocalServices:
        """
        Start all services, and return when they respond.

        :raises PortInUse: when a port is taken; nothing is left running then.
        """
        with contextlib.ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def stop(self) -> None:
        """Stop all services and their processes."""
        self._stack.close()

    def __enter__(self) -> LocalServices:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def endpoint_url(self) -> str:
        """The endpoint for AWS clients (``AWS_ENDPOINT_URL``)."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def inbox_url(self) -> str:
        """The inbox's page."""
        return f"{self.endpoint_url}/inbox"

    @property
    def slack_base_url(self) -> str:
        """The Web API's address, for a Slack connection's extra ``base_url``."""
        return f"{self.endpoint_url}/slack/api/"

    @property
    def slack_webhook_url(self) -> str:
        """A whole incoming-webhook URL."""
        return f"{self.slack_webhook_host}/T00000000/B00000000/local"

    @property
    def slack_webhook_host(self) -> str:
        """An incoming webhook's address without its token, for a connection's ``host``."""
        return f"{self.endpoint_url}/services"

    def notebook_url(self, name: str, region: str = DEFAULT_REGION) -> str | None:
        """
        Return a notebook instance's own address, without a trailing slash; it requires a presigned URL.

        :param name: the notebook instance.
        :param region: its region.
        :return: None without JupyterLab.
        """
        return f"http://{self._proxy.host_of(_arn(name, region))}" if self._proxy else None

    def make_busy(
        self,
        name: str,
        activity: Activity | str = Activity.BUSY_KERNEL,
        *,
        seconds: float = 3600,
        region: str = DEFAULT_REGION,
    ) -> dict[str, Any]:
        """
        Let something run in a notebook instance's JupyterLab, with nobody connected.

        :param name: the notebook instance; it must be InService.
        :param activity: ``busy-kernel`` (it runs a cell without output), ``unconnected-kernel`` (nobody ever connects
            to it, so it stays ``starting``), ``printing-terminal`` (a command that prints each second) or
            ``silent-terminal`` (one that prints nothing).
        :param seconds: how long the cell or the command runs.
        :param region: its region.
        :return: its kernels and terminals, as Jupyter lists them.
        :raises LookupError: when there is no such notebook instance.
        :raises ValueError: when it is not InService, or an argument is invalid.
        """
        wanted = Activity(activity)
        if not 0 < seconds <= MAX_BUSY_SECONDS:
            raise ValueError(f"seconds must be more than 0 and at most {MAX_BUSY_SECONDS}, not {seconds!r}.")
        jupyter = self._activity_of(name, region)
        jupyter.start(wanted, seconds)
        return jupyter.running()

    def make_idle(self, name: str, *, region: str = DEFAULT_REGION) -> dict[str, Any]:
        """
        End all kernels and terminals of a notebook instance.

        :param name: the notebook instance; it must be InService.
        :param region: its region.
        :return: its kernels and terminals, as Jupyter lists them: none.
        :raises LookupError: when there is no such notebook instance.
        :raises ValueError: when it is not InService.
        """
        jupyter = self._activity_of(name, region)
        jupyter.end_all()
        return jupyter.running()

    def addresses(self) -> dict[str, Any]:
        """Return all addresses, as in the ready file."""
        return {
            "endpoint_url": self.endpoint_url,
            "port": self.port,
            "smtp_host": LOOPBACK,
            "smtp_port": self.smtp_port,
            "slack_base_url": self.slack_base_url,
            "slack_webhook_url": self.slack_webhook_url,
            "slack_webhook_host": self.slack_webhook_host,
            "inbox_url": self.inbox_url,
            "messages_url": f"{self.inbox_url}/messages.json",
            "control_url": f"{self.endpoint_url}/local",
            "jupyter_log": str(self.jupyter.log) if self.jupyter else None,
            "jupyter_pids": self.jupyter.pids if self.jupyter else [],
        }

    @contextlib.contextmanager
    def smtp_down(self) -> Iterator[None]:
        """Refuse connections to the mail server's port while the block runs."""
        if self._smtp is None:
            raise RuntimeError("The local services are not running.")
        self._smtp.pause()
        try:
            yield
        finally:
            self._smtp.resume()

    def _activity_of(self, name: str, region: str) -> JupyterActivity:
        if self._proxy is None:
            raise ValueError("The local SageMaker runs without JupyterLab.")
        if self.sagemaker.status(name, region) is None:
            raise LookupError(f"There is no notebook instance {name} in {region}.")
        return JupyterActivity(name, self._proxy.lab_of(_arn(name, region)).socket_path)

    def _start(self, stack: contextlib.ExitStack) -> None:
        http_socket = stack.enter_context(bind(self.port, "the SageMaker API and the inbox"))
        smtp_socket = stack.enter_context(bind(self.smtp_port, "mail"))
        stack.enter_context(self.sagemaker)
        if self._wants_jupyter:
            self._start_jupyter(stack)
        self._smtp = SmtpServer(self.inbox, smtp_socket)
        self._smtp.start()
        stack.callback(self._smtp.stop)
        self.smtp_port = self._smtp.port
        slack = SlackStandIn(self.inbox)
        control = [control_blueprint(self.sagemaker), activity_blueprint(self.make_busy, self.make_idle)]
        pages = [inbox_blueprint(self.inbox), slack.blueprint(), *control]
        http = HttpServer(http_socket, pages)
        http.start()
        stack.callback(http.stop)
        stack.callback(slack.stop)
        self.port = http.port
        if self.jupyter:
            self.jupyter.wait_for_spare()

    def _start_jupyter(self, stack: contextlib.ExitStack) -> None:
        folder = self._folder
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="local-sagemaker-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        self.jupyter = JupyterLabs(folder.resolve())
        self._proxy = NotebookReverseProxy(self.jupyter, self.sagemaker.tokens, self.sagemaker.look_up)
        self._proxy.start()
        stack.callback(self._proxy.stop)
        self.jupyter.start_spare()
        self.sagemaker.serve_notebooks_at(self._proxy.host_of)
        self.sagemaker.on_change(self._proxy.settle)


def _arn(name: str, region: str) -> str:
    return f"arn:aws:sagemaker:{region}:{DEFAULT_ACCOUNT_ID}:notebook-instance/{name}"
