"""
Puts our operations into moto, and takes them out again.

Moto's table of URLs is bound to its own classes, so a subclass would never be asked: the methods are
set on the classes themselves. That works in ``mock_aws`` and in a served moto alike.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any, ClassVar

from moto.core.responses import ActionResult
from moto.core.utils import get_service_model
from moto.sagemaker.models import FakeSagemakerNotebookInstance
from moto.sagemaker.responses import SageMakerResponse

from airflow_sagemaker_presign.local.constraints import validation_error
from airflow_sagemaker_presign.local.notebook_operations import NotebookOperations
from airflow_sagemaker_presign.local.sagemaker_faults import CallError
from airflow_sagemaker_presign.local.training_jobs import TrainingJobs

_ABSENT = object()
_ANY_NOTEBOOK = "*"

Answer = tuple[int, dict[str, str], Any]
BeforeCall = Callable[[SageMakerResponse, str, str | None], CallError | None]
AfterCall = Callable[[str, str | None, str | None], None]


class MotoPatches:
    """The changes to moto's classes; one set at a time in a process, because the classes are global."""

    _installed: ClassVar[MotoPatches | None] = None

    def __init__(self) -> None:
        self._saved: list[tuple[type, str, Any]] = []

    def install(self, notebooks: NotebookOperations, jobs: TrainingJobs, before: BeforeCall, after: AfterCall) -> None:
        """
        Put everything in.

        :param notebooks: the operations on notebook instances.
        :param jobs: the operations on training jobs.
        :param before: asked ahead of each call: how shall it fail, if it shall?
        :param after: told about each call when it is done.
        """
        if MotoPatches._installed is not None:
            raise RuntimeError("A local SageMaker is installed in this process already; uninstall it first.")
        MotoPatches._installed = self
        for name in vars(NotebookOperations):
            if not name.startswith("_"):
                self._set(SageMakerResponse, name, _as_method(getattr(notebooks, name)))
        self._set(SageMakerResponse, "call_action", _call_action(before, after))
        self._set(FakeSagemakerNotebookInstance, "validate_instance_type", _validate_instance_type)
        create, describe = SageMakerResponse.create_training_job, SageMakerResponse.describe_training_job
        list_jobs = SageMakerResponse.list_training_jobs
        self._set(SageMakerResponse, "create_training_job", lambda r: jobs.created(r, create(r)))
        self._set(SageMakerResponse, "describe_training_job", lambda r: jobs.described(r, describe(r)))
        self._set(SageMakerResponse, "list_training_jobs", lambda r: jobs.listed(r, list_jobs))

    def uninstall(self) -> None:
        """Leave moto as it was."""
        while self._saved:
            owner, name, value = self._saved.pop()
            if value is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, value)
        if MotoPatches._installed is self:
            MotoPatches._installed = None

    def _set(self, owner: type, name: str, value: Any) -> None:
        self._saved.append((owner, name, vars(owner).get(name, _ABSENT)))
        setattr(owner, name, value)


def _as_method(operation: Callable[[SageMakerResponse], ActionResult]) -> Callable[..., ActionResult]:
    # Moto looks for plain functions on its class; a bound method would not be found.
    return lambda response: operation(response)


def _validate_instance_type(_notebook: FakeSagemakerNotebookInstance, instance_type: str) -> None:
    # Moto's own list ends with the types of 2020; botocore's knows today's.
    known = get_service_model("sagemaker").shape_for("InstanceType").metadata["enum"]
    if instance_type not in known:
        raise validation_error(
            f"1 validation error detected: Value '{instance_type}' at 'instanceType' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{', '.join(known)}]"
        )


def _call_action(before: BeforeCall, after: AfterCall) -> Callable[[SageMakerResponse], Answer]:
    original = SageMakerResponse.call_action
    # Served moto answers each request in a thread of its own; of two starts at once, one comes first.
    one_at_a_time = threading.Lock()

    def call_action(response: SageMakerResponse) -> Answer:
        with one_at_a_time:
            return answer_to(response)

    def answer_to(response: SageMakerResponse) -> Answer:
        operation = response._get_action() or "(none)"
        notebook = response._get_param("NotebookInstanceName")
        error = before(response, operation, notebook)
        answer = original(response) if error is None else _refusal(error, response, operation, notebook)
        after(operation, notebook, _error_code(answer))
        return answer

    return call_action


def _refusal(error: CallError, response: SageMakerResponse, operation: str, notebook: str | None) -> Answer:
    # Written by hand: these errors belong to no service model, and moto warns about such.
    status, code, message = 400, "ThrottlingException", "Rate exceeded"
    if error is CallError.INTERNAL_FAILURE:
        status, code = 500, "InternalFailure"
        message = "The request processing has failed because of an internal error."
    elif error is CallError.ACCESS_DENIED:
        code, message = "AccessDeniedException", _denial(response, operation, notebook)
    body = json.dumps({"__type": code, "message": message})
    return status, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code}, body


def _denial(response: SageMakerResponse, operation: str, notebook: str | None) -> str:
    account, region = response.current_account, response.region
    arn = f"arn:aws:sagemaker:{region}:{account}:notebook-instance/{notebook or _ANY_NOTEBOOK}"
    return (
        f"User: arn:aws:sts::{account}:assumed-role/airflow/worker is not authorized to perform: "
        f"sagemaker:{operation} on resource: {arn} because no identity-based policy allows the "
        f"sagemaker:{operation} action"
    )


def _error_code(answer: Answer) -> str | None:
    status, _, body = answer
    if int(status) < 400:
        return None
    try:
        return str(json.loads(body)["__type"]).rpartition("#")[2]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status}"
