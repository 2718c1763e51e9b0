"""The public hook for notebook instances."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any, Literal

from botocore.exceptions import ClientError

from airflow_sagemaker_presign.deprecation import renamed
from airflow_sagemaker_presign.exceptions import NotebookInstanceUsageUnknown, SageMakerUnavailable
from airflow_sagemaker_presign.hooks.aws_errors import ANY, code_and_message
from airflow_sagemaker_presign.hooks.base import WorkspaceHook
from airflow_sagemaker_presign.minting.presigned_url import (
    DEFAULT_SESSION_EXPIRATION_DURATION,
    MIN_SESSION_EXPIRATION_DURATION,
    PresignedUrl,
)
from airflow_sagemaker_presign.usage.activity import Usage
from airflow_sagemaker_presign.validation import session_expiration_duration_of
from airflow_sagemaker_presign.workspaces.base import CAN_START, CAN_STOP, Phase, Workspace
from airflow_sagemaker_presign.workspaces.notebook_instance import MAX_RESULTS, NotebookInstance, Status

__all__ = ["SageMakerNotebookInstanceHook"]


class SageMakerNotebookInstanceHook(WorkspaceHook):
    """
    Start, stop and open Amazon SageMaker notebook instances.

    The parameters are those of :class:`~.base.WorkspaceHook`.
    """

    def describe_notebook_instance(self, name: str) -> dict[str, Any]:
        """
        Return AWS's description of a notebook instance.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeNotebookInstance.html

        :param name: the notebook instance.
        :raises ValueError: when AWS would refuse the name.
        :raises WorkspaceError: when the request fails; its class gives the reason.
        """
        return self.describe(NotebookInstance(name))

    def start_notebook_instance(self, name: str) -> str:
        """
        Start a notebook instance if its status allows it; safe to call in any status.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StartNotebookInstance.html

        :param name: the notebook instance.
        :return: the status after the call.
        :raises ValueError: when AWS would refuse the name.
        :raises WorkspaceError: when AWS refuses the request; its class gives the reason.
        """
        return self._send_if(CAN_START, name, self.start, Status.PENDING)

    def stop_notebook_instance(self, name: str) -> str:
        """
        Stop a notebook instance if its status allows it; safe to call in any status.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopNotebookInstance.html

        :param name: the notebook instance.
        :return: the status after the call. AWS stops InService instances only: a Pending one stays Pending.
        :raises ValueError: when AWS would refuse the name.
        :raises WorkspaceError: when AWS refuses the request; its class gives the reason.
        """
        return self._send_if(CAN_STOP, name, self.stop, Status.STOPPING)

    def create_presigned_url(
        self,
        name: str,
        session_expiration_duration: timedelta | int | None = None,
        landing: Literal["lab", "classic"] | None = None,
    ) -> PresignedUrl:
        """
        Mint a URL that opens the notebook instance for anybody who has it, for five minutes.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreatePresignedNotebookInstanceUrl.html

        :param name: the notebook instance; it must be InService.
        :param session_expiration_duration: how long the Jupyter session lasts once opened: 30 minutes to 12 hours,
            as a timedelta or in seconds; default: 12 hours.
        :param landing: ``"lab"`` opens JupyterLab, ``"classic"`` the classic page, ``None`` AWS's default.
        :raises ValueError: when a parameter is out of range; no request is sent.
        :raises WorkspaceError: when AWS refuses the request; its class gives the reason.
        """
        duration = (
            DEFAULT_SESSION_EXPIRATION_DURATION
            if session_expiration_duration is None
            else session_expiration_duration_of(session_expiration_duration)
        )
        return self.mint(NotebookInstance(name), duration, NotebookInstance.landing_of(landing))

    def list_notebook_instances(
        self, *, tags: Mapping[str, str] | None = None, status: str | None = None
    ) -> list[dict[str, Any]]:
        """
        Return all notebook instances of the account and region, each with its tags.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListNotebookInstances.html,
        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListTags.html

        :param tags: only those that have all of these tags, with these values.
        :param status: only those with this status, such as ``InService``.
        :return: AWS's rows, each with ``Tags`` as a dict.
        :raises WorkspaceError: when a request fails; its class gives the reason.
        """
        found: list[dict[str, Any]] = []
        with self._translated(NotebookInstance, "list"):
            arguments: dict[str, Any] = {"PaginationConfig": {"PageSize": MAX_RESULTS}}
            if status:
                arguments["StatusEquals"] = status
            for row in self._rows("list_notebook_instances", "NotebookInstances", **arguments):
                its_tags = self._tags_of(row)
                if its_tags is not None and (tags or {}).items() <= its_tags.items():
                    found.append({**row, "Tags": its_tags})
        return found

    def _tags_of(self, row: Mapping[str, Any]) -> dict[str, str] | None:
        """Return the tags; ``None`` for a notebook instance that was deleted since it was listed."""
        try:
            tags = list(self._rows("list_tags", "Tags", ResourceArn=row["NotebookInstanceArn"]))
        except ClientError as error:
            if NotebookInstance(row["NotebookInstanceName"]).is_not_found(*code_and_message(error)):
                return None
            raise
        return {tag["Key"]: tag["Value"] for tag in tags}

    def _rows(self, operation: str, key: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows of all pages."""
        for page in self._sagemaker.get_paginator(operation).paginate(**arguments):
            if not isinstance(page.get(key), list):
                # botocore accepts any page with the HTTP status 200, from whatever server, as an empty response.
                raise SageMakerUnavailable(ANY, f"AWS returned a page without {key}.")
            yield from page[key]

    def notebook_instance_usage(self, name: str, *, count_connections: bool = False) -> Usage:
        """
        Return the use of a notebook instance, as its Jupyter server shows it. The question itself does not count.

        It mints a URL for a session of 30 minutes, and opens it from this machine, which must reach the notebook.

        https://jupyter-server.readthedocs.io/en/latest/developers/rest-api.html

        :param name: the notebook instance; it must be InService.
        :param count_connections: whether a kernel with a connection, such as an open browser tab's, is in use.
        :raises ValueError: when AWS would refuse the name.
        :raises NotebookInstanceUsageUnknown: when the Jupyter server cannot be asked.
        :raises WorkspaceError: when AWS refuses the request; its class gives the reason.
        """
        from airflow_sagemaker_presign.usage.jupyter_session import JupyterSession
        from airflow_sagemaker_presign.usage.unavailable import JupyterUnavailable

        notebook_instance = NotebookInstance(name)
        presigned_url = self.mint(notebook_instance, MIN_SESSION_EXPIRATION_DURATION, None)

        async def ask() -> Usage:
            session = await JupyterSession.open(presigned_url, self.http_options)
            return await session.usage(self._clock, count_connections=count_connections)

        try:
            return asyncio.run(ask())
        except JupyterUnavailable as error:
            problem, advice = error.problem, error.advice
        # Here, since an error that is raised while another is handled holds that one's frames, with the credentials.
        raise NotebookInstanceUsageUnknown(name, problem, f"{advice}; then try again.")

    def _send_if(
        self, phases: Collection[Phase], name: str, send: Callable[[Workspace], bool], status_after: Status
    ) -> str:
        notebook_instance = NotebookInstance(name)
        observation = self.observe(notebook_instance)
        if observation.phase not in phases:
            return observation.status
        return status_after.value if send(notebook_instance) else self.observe(notebook_instance).status


__getattr__ = renamed(__name__, {"SageMakerNotebookHook": "SageMakerNotebookInstanceHook"})
