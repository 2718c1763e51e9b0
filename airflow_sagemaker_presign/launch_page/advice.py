"""
The advice for data scientists about each error that the page shows.

The errors' own advice is for the DAG's author, who reads a task's log: users of the page cannot clear a task or change
an operator's parameter.
"""

from __future__ import annotations

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.exceptions import WorkspaceError
from airflow_sagemaker_presign.launch_page.aws_identity import UnusableConnection

MANAGER = "the person who manages the notebooks"
AIRFLOW_ADMIN = "an administrator of Airflow"

ADVICE: dict[type[WorkspaceError], str] = {
    WorkspaceError: f"Try again in a minute. If the problem persists, show this message to {MANAGER}.",
    exceptions.NotebookInstanceNotFound: (
        "It may have been deleted or renamed, or be in another account or region. Ask the person who sent you the link."
    ),
    exceptions.NotebookInstanceDeleted: f"Ask {MANAGER} for a new one.",
    exceptions.NotebookInstanceNoCapacity: f"Try again later, or ask {MANAGER} for another instance type.",
    exceptions.NotebookInstanceLifecycleConfigFailed: (
        f"The script that sets the notebook up failed. Ask {MANAGER}: its output is in CloudWatch Logs, log group "
        "/aws/sagemaker/NotebookInstances, log stream {name}/LifecycleConfigOnStart."
    ),
    exceptions.NotebookInstanceQuotaExceeded: (
        "The AWS account's quota for running notebooks of this instance type is used up. Stop one of yours that "
        f"you no longer need, or ask {MANAGER} for a higher quota."
    ),
    exceptions.NotebookInstanceStopped: "Somebody, or an idle-shutdown script, stopped it. Start it again here.",
    exceptions.NotebookInstanceStartNotTaken: f"Start it once more. If that does not help, ask {MANAGER}.",
    exceptions.NotebookInstanceStopNotTaken: f"It is still running and incurs costs: contact {MANAGER}.",
    exceptions.NotebookInstanceUsageUnknown: (
        f"Airflow cannot tell whether it is in use, and did not stop it. Show this message to {MANAGER}."
    ),
    exceptions.NotebookInstanceFailed: f"Start it again. If it fails again, show this message to {MANAGER}.",
    exceptions.SageMakerAccessDenied: (
        f"Airflow lacks an AWS permission that this needs. Show this message to {AIRFLOW_ADMIN}."
    ),
    exceptions.AwsConnectionUnusable: (
        f"Airflow’s connection to AWS is not set up correctly. Show this message to {AIRFLOW_ADMIN}."
    ),
    exceptions.SageMakerOutOfReach: (
        f"Airflow cannot reach AWS. Use the button again in a minute; if that does not help, contact {AIRFLOW_ADMIN}."
    ),
    exceptions.SageMakerUnavailable: (
        f"This is usually temporary: use the button again in a minute. If that does not help, ask {AIRFLOW_ADMIN}."
    ),
    exceptions.NotebookInstanceWaitTimeout: f"Start it again. If it takes that long again, ask {MANAGER}.",
}


def advice_for(error: WorkspaceError) -> str:
    """Return what the user of the page can do about an error."""
    if isinstance(error, UnusableConnection):  # Raised by the launch page only, so its own advice fits.
        return error.advice
    # A class that is not in the table has the advice of its base class.
    advice = next(ADVICE[kind] for kind in type(error).__mro__ if kind in ADVICE)
    return advice.format(name=error.name)
