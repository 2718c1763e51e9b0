"""
The API operations on notebook instances as AWS does them, where moto does less.

Each public method of the class becomes a method of moto's ``SageMakerResponse`` (see ``moto_patches``): it reads
the request from it and returns an ``ActionResult``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import SagemakerClientError
from moto.sagemaker.responses import SageMakerResponse

from airflow_sagemaker_presign.local.sagemaker_api.faults import SageMakerFaults, StartOutcome, checked_times
from airflow_sagemaker_presign.local.sagemaker_api.input_constraints import validation_error
from airflow_sagemaker_presign.local.sagemaker_api.notebook_list import list_page
from airflow_sagemaker_presign.local.sagemaker_api.notebook_store import NotebookStore
from airflow_sagemaker_presign.local.sagemaker_api.presigned_tokens import PresignedTokens
from airflow_sagemaker_presign.local.sagemaker_api.status_timeline import GONE, Timeline, Transition

NO_CAPACITY = "Insufficient notebook instance capacity. Retry later or with a different instance type."
LIFECYCLE_TIMEOUT = (
    "Notebook Instance Lifecycle Config '{config}' for Notebook Instance '{arn}' took longer than 5 minutes. "
    "Please check your CloudWatch logs for more details if your Notebook Instance has Internet access."
)
QUOTA = (
    "The account-level service limit '{instance_type} for notebook instance usage' is 0 Instances, with "
    "current utilization of 0 Instances and a request delta of 1 Instances. Please use AWS Service Quotas to "
    "request an increase for this quota. If AWS Service Quotas is not available, contact AWS support to "
    "request an increase for this quota."
)
STARTABLE = ("Stopped", "Failed")
# A creation is a start, too, but these outcomes are errors of the Start call only.
OUTCOMES_OF_CREATION = (StartOutcome.NO_CAPACITY, StartOutcome.LIFECYCLE_TIMEOUT)
DEFAULT_SESSION_SECONDS = 43200
TAG_STATUS, TAG_START = "local:status", "local:start"


class NotebookOperations:
    """
    The operations on notebook instances that replace moto's.

    :param store: where they are kept.
    :param faults: the scripted faults.
    :param tokens: mints the tokens of presigned URLs.
    """

    def __init__(self, store: NotebookStore, faults: SageMakerFaults, tokens: PresignedTokens) -> None:
        self.store = store
        self.faults = faults
        self.tokens = tokens

    def create_notebook_instance(self, response: SageMakerResponse) -> ActionResult:
        """Create: Pending, then InService; or as defined by the tags ``local:…``."""
        name = response._get_param("NotebookInstanceName")
        tags = {tag["Key"]: tag["Value"] for tag in response._get_param("Tags") or []}
        script = _script_of(tags)
        notebook = self.store.create(response)
        if script is not None:
            self.faults.on_start(name, *script)
        timeline = self.store.timeline(notebook)
        now = self.store.now()
        if TAG_STATUS in tags:
            timeline.plan(now, Transition(now, tags[TAG_STATUS]))
        else:
            outcome = self.faults.take_outcome(name, OUTCOMES_OF_CREATION)
            timeline.plan(now, *self._start_transitions(notebook, timeline, outcome))
        return ActionResult({"NotebookInstanceArn": notebook.arn})

    def describe_notebook_instance(self, response: SageMakerResponse) -> ActionResult:
        """Describe, with the FailureReason that moto lacks."""
        notebook = self._error_for(response)
        return ActionResult(self.store.description(notebook))

    def start_notebook_instance(self, response: SageMakerResponse) -> ActionResult:
        """Start from Stopped or Failed; any other status is rejected with AWS's error."""
        notebook = self._error_for(response)
        timeline = self.store.timeline(notebook)
        now = self.store.now()
        self._require(notebook, STARTABLE, "Pending")
        outcome = self.faults.take_outcome(notebook.notebook_instance_name)
        if outcome is StartOutcome.QUOTA:
            raise SagemakerClientError("ResourceLimitExceeded", QUOTA.format(instance_type=notebook.instance_type))
        if outcome is not StartOutcome.DOES_NOT_TAKE:
            timeline.plan(now, *self._start_transitions(notebook, timeline, outcome))
        return EmptyResult()

    def stop_notebook_instance(self, response: SageMakerResponse) -> ActionResult:
        """Stop from InService."""
        notebook = self._error_for(response)
        self._require(notebook, ("InService",), "Stopping")
        self._finish(notebook, "Stopping", "Stopped")
        return EmptyResult()

    def update_notebook_instance(self, response: SageMakerResponse) -> ActionResult:
        """Update from Stopped or Failed: Updating, then Stopped."""
        notebook = self._error_for(response)
        self._require(notebook, STARTABLE, "Updating")
        self.store.update(notebook, response._get_param)
        self._finish(notebook, "Updating", "Stopped")
        return EmptyResult()

    def delete_notebook_instance(self, response: SageMakerResponse) -> ActionResult:
        """Delete from Stopped or Failed: Deleting, then not found."""
        notebook = self._error_for(response)
        self._require(notebook, STARTABLE, "Deleting")
        self._finish(notebook, "Deleting", GONE)
        return EmptyResult()

    def list_notebook_instances(self, response: SageMakerResponse) -> ActionResult:
        """List with the filters that moto leaves out."""
        summaries = [self.store.summary(notebook) for notebook in self.store.all(response.sagemaker_backend)]
        return ActionResult(list_page(summaries, response._get_param))

    def create_presigned_notebook_instance_url(self, response: SageMakerResponse) -> ActionResult:
        """Mint a URL of a notebook instance that is InService."""
        name = response._get_param("NotebookInstanceName")
        seconds = response._get_param("SessionExpirationDurationInSeconds")
        notebook = self.store.find(response.sagemaker_backend, name)
        status = self.store.timeline(notebook).at(self.store.now()).status
        if status != "InService":
            raise validation_error(
                f"Status ({status}) not in ([InService]). "
                f"Unable to create a presigned URL for Notebook Instance ({notebook.arn})"
            )
        duration = timedelta(seconds=seconds if seconds is not None else DEFAULT_SESSION_SECONDS)
        token = self.tokens.mint(name, duration, instance_id=self.store.timeline(notebook).instance_id)
        # AWS writes no slash before the query; a browser adds it by itself.
        base = f"http://{self.store.host_of(notebook.arn)}/" if self.store.host_of else f"https://{notebook.url}"
        return ActionResult({"AuthorizedUrl": f"{base}?{urlencode({'authToken': token})}"})

    def _error_for(self, response: SageMakerResponse) -> Any:
        return self.store.find(response.sagemaker_backend, response._get_param("NotebookInstanceName"))

    def _require(self, notebook: Any, allowed: tuple[str, ...], target: str) -> None:
        status = self.store.timeline(notebook).at(self.store.now()).status
        if status not in allowed:
            raise validation_error(
                f"Status ({status}) not in ([{', '.join(allowed)}]). Unable to transition to ({target}) "
                f"for Notebook Instance ({notebook.arn})"
            )

    def _finish(self, notebook: Any, meanwhile: str, then: str) -> None:
        now, timeline = self.store.now(), self.store.timeline(notebook)
        done = now + timedelta(seconds=timeline.stop_seconds)
        timeline.plan(now, Transition(now, meanwhile), Transition(done, then))

    def _start_transitions(
        self, notebook: Any, timeline: Timeline, outcome: StartOutcome
    ) -> tuple[Transition, Transition]:
        now = self.store.now()
        done = now + timedelta(seconds=timeline.start_seconds)
        end = Transition(done, "InService")
        if outcome is StartOutcome.NO_CAPACITY:
            end = Transition(done, "Failed", NO_CAPACITY)
        elif outcome is StartOutcome.LIFECYCLE_TIMEOUT:
            config = notebook.arn.replace(":notebook-instance/", ":notebook-instance-lifecycle-config/")
            if notebook.lifecycle_config_name:
                config = f"{config.rpartition('/')[0]}/{notebook.lifecycle_config_name}"
            end = Transition(done, "Failed", LIFECYCLE_TIMEOUT.format(config=config, arn=notebook.arn))
        return Transition(now, "Pending"), end


def _script_of(tags: dict[str, str]) -> tuple[StartOutcome, int | None] | None:
    if TAG_START not in tags:
        return None
    outcome, _, times = tags[TAG_START].partition(":")
    try:
        return StartOutcome(outcome), checked_times(int(times) if times else None)
    except ValueError as error:
        raise validation_error(f"Tag {TAG_START}={tags[TAG_START]}: {error}") from None
