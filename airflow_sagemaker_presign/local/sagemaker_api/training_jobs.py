"""Training jobs that take time and may fail; moto's own complete immediately."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.responses import SageMakerResponse

from airflow_sagemaker_presign.local.clock import LocalClock
from airflow_sagemaker_presign.local.sagemaker_api.input_constraints import validation_error

FAILURE_REASON = "AlgorithmError: ExecuteUserScriptError: training script ended with exit code 1"
OUTCOME, SECONDS = "local:outcome", "local:seconds"


class TrainingJobs:
    """
    The operations on training jobs that replace moto's.

    A tag or hyperparameter ``local:outcome=Failed`` makes a job fail, ``local:seconds=3`` sets how long it
    takes.

    :param clock: the clock.
    :param training_seconds: how long a job takes by default.
    """

    def __init__(self, clock: LocalClock, training_seconds: float) -> None:
        self._clock = clock
        self._training_seconds = training_seconds

    def created(self, response: SageMakerResponse, result: ActionResult) -> ActionResult:
        """Start the job at the clock's time."""
        job = response.sagemaker_backend.training_jobs[response._get_param("TrainingJobName")]
        now = self._clock.now()
        job.creation_time = job.training_start_time = now
        try:
            self._bring_up_to_date(job)
        except ValueError:
            del response.sagemaker_backend.training_jobs[job.training_job_name]
            raise validation_error(f"{SECONDS} must be a number of seconds.") from None
        # Moto invents these; on AWS, a job without metric definitions has none.
        job.algorithm_specification.pop("MetricDefinitions", None)
        job.final_metric_data_list = []
        return result

    def described(self, response: SageMakerResponse, result: ActionResult) -> ActionResult:
        """Return the state of the job now."""
        self._refresh(response)
        job = response.sagemaker_backend.training_jobs[response._get_param("TrainingJobName")]
        described = dict(job.response_object)
        if job.training_job_status != "Completed":
            described.pop("ModelArtifacts", None)
        if job.training_job_status == "InProgress":
            described.pop("TrainingEndTime", None)
        if job.training_job_status == "Failed":
            described["FailureReason"] = FAILURE_REASON
        return ActionResult(described)

    def listed(
        self, response: SageMakerResponse, list_jobs: Callable[[SageMakerResponse], ActionResult]
    ) -> ActionResult:
        """List the jobs as they are now."""
        self._refresh(response)
        return list_jobs(response)

    def _refresh(self, response: SageMakerResponse) -> None:
        for job in response.sagemaker_backend.training_jobs.values():
            self._bring_up_to_date(job)

    def _bring_up_to_date(self, job: Any) -> None:
        wishes = {tag["Key"]: tag["Value"] for tag in job.tags} | (job.hyper_parameters or {})
        end = job.creation_time + timedelta(seconds=float(wishes.get(SECONDS, self._training_seconds)))
        outcome = wishes.get(OUTCOME, "Completed")
        done = self._clock.now() >= end
        job.training_job_status = outcome if done else "InProgress"
        job.secondary_status = outcome if done else "Training"
        job.training_end_time = end
        job.last_modified_time = end if done else job.creation_time
        begun = {
            "Status": "Training",
            "StartTime": job.creation_time,
            "StatusMessage": "Training in progress",
        }
        job.secondary_status_transitions = [begun | ({"EndTime": end} if done else {})]
        if done:
            job.secondary_status_transitions.append(
                {
                    "Status": outcome,
                    "StartTime": end,
                    "EndTime": end,
                    "StatusMessage": FAILURE_REASON if outcome == "Failed" else "Training job completed",
                }
            )
