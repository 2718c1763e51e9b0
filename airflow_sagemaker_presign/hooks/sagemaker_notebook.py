"""The public hook for notebook instances."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from airflow_sagemaker_presign.deprecation import renamed
from airflow_sagemaker_presign.hooks.base import WorkspaceHook
from airflow_sagemaker_presign.minting.presigned_url import DEFAULT_SESSION_EXPIRATION_DURATION, PresignedUrl
from airflow_sagemaker_presign.validation import session_expiration_duration_of
from airflow_sagemaker_presign.workspaces.base import CAN_START, CAN_STOP
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance, Status

__all__ = ["SageMakerNotebookInstanceHook"]


class SageMakerNotebookInstanceHook(WorkspaceHook):
    """
    Start, stop and open Amazon SageMaker notebook instances.

    The connection is Airflow's standard AWS connection.
    https://airflow.apache.org/docs/apache-airflow-providers-amazon/stable/connections/aws.html

    :param aws_conn_id: the Airflow connection; ``None``: boto3's own credential chain.
    :param region_name: the region; default: the connection's.
    :param verify: whether, or with which CA bundle, TLS certificates are checked; default: the connection's.
    :param config: botocore's client configuration, as a dict or a ``Config``; default: the connection's.
    :param clock: returns the time, as an aware datetime.
    :raises AwsConnectionUnusable: when a parameter is not valid.
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
        notebook_instance = NotebookInstance(name)
        observation = self.observe(notebook_instance)
        if observation.phase not in CAN_START:
            return observation.status
        return Status.PENDING.value if self.start(notebook_instance) else self.observe(notebook_instance).status

    def stop_notebook_instance(self, name: str) -> str:
        """
        Stop a notebook instance if its status allows it; safe to call in any status.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopNotebookInstance.html

        :param name: the notebook instance.
        :return: the status after the call. AWS stops InService instances only: a Pending one stays Pending.
        :raises ValueError: when AWS would refuse the name.
        :raises WorkspaceError: when AWS refuses the request; its class gives the reason.
        """
        notebook_instance = NotebookInstance(name)
        observation = self.observe(notebook_instance)
        if observation.phase not in CAN_STOP:
            return observation.status
        return Status.STOPPING.value if self.stop(notebook_instance) else self.observe(notebook_instance).status

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


__getattr__ = renamed(__name__, {"SageMakerNotebookHook": "SageMakerNotebookInstanceHook"})
