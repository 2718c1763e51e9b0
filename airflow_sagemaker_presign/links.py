"""Links to the AWS console and to the launch page, and the task's buttons. None of them is a credential."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from airflow_sagemaker_presign import compat
from airflow_sagemaker_presign.compat import BaseOperatorLink, XCom, conf

if TYPE_CHECKING:
    from airflow_sagemaker_presign.compat import BaseOperator, Context, TaskInstanceKey

__all__ = ["SageMakerNotebookConsoleLink", "SageMakerNotebookKeepLink", "SageMakerNotebookLaunchLink"]

LAUNCH_PAGE_PREFIX = "/sagemaker-notebooks"
"""The path of the launch page, below the api-server's ``[api] base_url``."""

CONSOLE_DOMAINS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}


def console_open_url(notebook_instance_arn: str) -> str | None:
    """
    Return the link of the AWS console's "Open JupyterLab", which mints in the IAM session of the user who clicks.

    :param notebook_instance_arn: ``NotebookInstanceArn`` as DescribeNotebookInstance returns it.
    :return: the link; ``None`` for a partition whose console is unknown.
    """
    page = _console_page(notebook_instance_arn)
    return page and "{}#/notebook-instances/openNotebook/{}?view=lab".format(*page)


def console_page_url(notebook_instance_arn: str) -> str | None:
    """Return the link to the notebook instance's page in the AWS console; ``None`` for an unknown partition."""
    page = _console_page(notebook_instance_arn)
    return page and "{}#/notebook-instances/{}".format(*page)


def region_of(notebook_instance_arn: str) -> str:
    """Return the notebook instance's region; empty if the ARN is not valid."""
    parts = notebook_instance_arn.split(":", 5)
    return parts[3] if len(parts) == 6 else ""


def launch_path(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
    """
    Return the path of a task instance's launch page, below the api-server's base URL.

    :param map_index: the mapped task's index; -1: it is not mapped.
    """
    parts = (dag_id, run_id, task_id) if map_index < 0 else (dag_id, run_id, task_id, str(map_index))
    return "/".join((LAUNCH_PAGE_PREFIX, *(quote(part, safe="") for part in parts)))


def launch_url(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str | None:
    """
    Return the link to a task instance's launch page, which mints a URL on a click, behind Airflow's login.

    :param map_index: the mapped task's index; -1: it is not mapped.
    :return: the link; ``None`` where there is no launch page: Airflow before 3.1.1, or no ``[api] base_url``.
    """
    base_url = conf.get("api", "base_url", fallback="") if compat.HAS_LAUNCH_PAGE else ""
    if urlsplit(base_url).scheme not in ("http", "https"):
        return None
    return base_url.rstrip("/") + launch_path(dag_id, run_id, task_id, map_index)


def _console_page(notebook_instance_arn: str) -> tuple[str, str] | None:
    parts = notebook_instance_arn.split(":", 5)
    if len(parts) != 6 or parts[1] not in CONSOLE_DOMAINS:
        return None
    region, name = parts[3], parts[5].rpartition("/")[2]
    query = urlencode({"region": region})
    return f"https://{region}.{CONSOLE_DOMAINS[parts[1]]}/sagemaker/home?{query}", quote(name, safe="")


class SageMakerConsoleLink(BaseOperatorLink):
    """The task's button to its workspace in the AWS console."""

    key: str
    """The key of the XCom that holds the ARN."""

    def console_url(self, arn: str) -> str | None:
        """Return the link to the console page of an ARN; ``None`` if there is none."""
        raise NotImplementedError

    def persist(self, context: Context, arn: str) -> None:
        """Store the ARN for the link, and show the button."""
        ti: Any = context["ti"]
        ti.xcom_push(key=self.key, value=arn)
        _show(self, context, self.console_url(arn))

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the link to the console page; empty until the task has determined the region."""
        arn = XCom.get_value(key=self.key, ti_key=ti_key)
        return (self.console_url(arn) or "") if isinstance(arn, str) else ""


class SageMakerNotebookConsoleLink(SageMakerConsoleLink):
    """The task's button to the notebook instance in the AWS console."""

    name = "SageMaker notebook instance"
    key = "sagemaker_notebook_instance_arn"

    def console_url(self, arn: str) -> str | None:
        """Return the link to the notebook instance's page."""
        return console_page_url(arn)


class SageMakerNotebookLaunchLink(BaseOperatorLink):
    """The task's button to its launch page, available as soon as the task runs."""

    name = "Open notebook"

    def persist(self, context: Context) -> None:
        """Show the button."""
        ti: Any = context["ti"]
        _show(self, context, launch_url(ti.dag_id, ti.run_id, ti.task_id, ti.map_index))

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the link to the launch page; empty where there is none."""
        return launch_url(ti_key.dag_id, ti_key.run_id, ti_key.task_id, ti_key.map_index) or ""


class SageMakerNotebookKeepLink(SageMakerNotebookLaunchLink):
    """The button of a task that stops an idle notebook, to the page where people keep it running."""

    name = "Keep notebook running"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the link to the page; empty where there is none, or the task does not wait for idleness."""
        return "" if getattr(operator, "idle_for", None) is None else super().get_link(operator, ti_key=ti_key)


class SageMakerNotebookDoorLink(SageMakerNotebookLaunchLink):
    """
    The old name of :class:`SageMakerNotebookLaunchLink`, for DAGs that were serialized before an upgrade.

    It does not warn, since Airflow imports it at every start and DAG files never use it.
    """


def _show(link: BaseOperatorLink, context: Context, url: str | None) -> None:
    """
    Show a button while its task runs.

    Airflow 3 stores a button's address as an XCom, which it writes only when the task defers or ends: too late for a
    task that waits in its worker. Airflow 2 calls ``get_link`` whenever the button is displayed.
    """
    key, ti = getattr(link, "xcom_key", None), context["ti"]
    if key and url:
        ti.xcom_push(key=key, value=url)
