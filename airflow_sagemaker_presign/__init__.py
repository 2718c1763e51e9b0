"""Airflow starts a SageMaker notebook instance and delivers its presigned URL before the URL expires."""

from __future__ import annotations

from typing import Any

__all__ = ["__version__", "get_provider_info"]

__version__ = "0.2.0"


def get_provider_info() -> dict[str, Any]:
    """
    Describe this provider to Airflow (entry point ``apache_airflow_provider``).

    https://airflow.apache.org/docs/apache-airflow-providers/howto/create-custom-providers.html
    """
    package = __name__
    integration = "Amazon SageMaker notebook instances"
    return {
        "package-name": "airflow-sagemaker-presign",
        "name": "SageMaker presigned notebook URLs",
        "description": "Starts a SageMaker notebook instance and delivers its presigned URL before it expires.",
        "versions": [__version__],
        "hooks": [
            {"integration-name": integration, "python-modules": [f"{package}.hooks.sagemaker_notebook"]},
        ],
        "operators": [
            {"integration-name": integration, "python-modules": [f"{package}.operators.sagemaker_notebook"]},
        ],
        "triggers": [
            {"integration-name": integration, "python-modules": [f"{package}.triggers.sagemaker_notebook"]},
        ],
        "notifications": [
            f"{package}.notifications.slack.NotebookUrlSlackNotifier",
            f"{package}.notifications.email.NotebookUrlSmtpNotifier",
        ],
        "extra-links": [
            f"{package}.links.SageMakerNotebookConsoleLink",
            f"{package}.links.SageMakerNotebookLaunchLink",
            f"{package}.links.SageMakerNotebookKeepLink",
            # DAGs that were serialized before an upgrade name it, until they are parsed again.
            f"{package}.links.SageMakerNotebookDoorLink",
        ],
    }
