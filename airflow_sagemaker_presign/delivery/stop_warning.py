"""Delivery of the warning of a stop, by all notifiers; there is no presigned URL in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow_sagemaker_presign.delivery.attempts import DeliveryPolicy
from airflow_sagemaker_presign.delivery.deliver import deliver
from airflow_sagemaker_presign.exceptions import LinkDeliveryError, StopWarningDeliveryError
from airflow_sagemaker_presign.runtime import Runtime
from airflow_sagemaker_presign.usage.stop_warning import StopWarning
from airflow_sagemaker_presign.workspaces.base import Workspace

_POLICY = DeliveryPolicy(min_validity=timedelta(minutes=4), attempts=3, require="all")


def deliver_stop_warning(
    notifiers: Sequence[Any],
    context: Mapping[str, Any],
    warning: StopWarning,
    description: Mapping[str, Any],
    workspace: Workspace,
    runtime: Runtime,
) -> None:
    """
    Send the warning through every notifier.

    :param context: the variables of the notifiers' templates that are the same before each warning.
    :param description: AWS's description of the workspace; may be empty.
    :raises StopWarningDeliveryError: if a notifier failed, after all were tried.
    """
    variables = {
        **context,
        "stop_warning": warning,
        # Nobody can keep it running then.
        **({"launch_url": ""} if warning.at_latest else {}),
        workspace.description_variable(): description,
        "workspace_description": description,
    }
    try:
        deliver(notifiers, variables, None, _POLICY, workspace=workspace, runtime=runtime, of="stop_warnings")
    except LinkDeliveryError as error:
        raise StopWarningDeliveryError(
            error.name, error.failures, error.delivered, error.advice_for, error.noun
        ) from None
