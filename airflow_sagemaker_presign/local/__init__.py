"""
SageMaker notebook instances on this machine: to try it out, for the demo, and for tests.

From a shell: ``python -m airflow_sagemaker_presign.local --help``.

In a test, served on loopback, for any AWS client and a real Airflow::

    from airflow_sagemaker_presign.local import LocalServices

    with LocalServices(start_seconds=1, jupyter=False) as local:
        local.endpoint_url          # AWS_ENDPOINT_URL, or an AWS connection's extra endpoint_url
        local.smtp_port             # on 127.0.0.1, no TLS
        local.slack_base_url        # a Slack connection's extra base_url
        local.slack_webhook_url     # or slack_webhook_host and a token
        local.inbox_url             # the page; messages.json below it
        local.notebook_url("research")  # where its presigned URLs lead; None without JupyterLab
        local.addresses()           # all of these as a dict

        local.sagemaker             # see LocalSageMaker: create_notebook, set_status, status, faults, requests
        local.sagemaker.faults.on_start("research", "no-capacity", times=1)
        local.sagemaker.faults.fail_calls("throttling", operation="DescribeNotebookInstance", times=3)
        local.sagemaker.requests_of("StartNotebookInstance")

        local.inbox.mails           # subject, text, html, recipients, arrived_at, acknowledged
        local.inbox.slack_messages  # channel, recipient, text, blocks, arrived_at, acknowledged
        local.inbox.wait_for(2)     # until two messages have arrived
        local.inbox.smtp.fail("hang-after-data")
        local.inbox.slack.fail("429", times=1, retry_after=2)
        with local.smtp_down(): ...  # connections are refused

        local.clock.advance(300)    # the link that was just minted has now expired

In a test, within its own process: the fixture ``airflow_sagemaker_presign.local.fixtures.local_sagemaker``.

Only one local SageMaker at a time in a process: moto's backends are global.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_sagemaker_presign.local.clock import LocalClock as LocalClock
    from airflow_sagemaker_presign.local.sagemaker_api.local_sagemaker import LocalSageMaker as LocalSageMaker
    from airflow_sagemaker_presign.local.services import LocalServices as LocalServices

_ROOMS = {"LocalClock": "clock", "LocalSageMaker": "sagemaker_api.local_sagemaker", "LocalServices": "services"}


def __getattr__(name: str) -> Any:
    # The process that runs JupyterLab imports this package too, and has no use for moto.
    if name in _ROOMS:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
