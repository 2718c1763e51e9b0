"""
Installs our operations in moto, and removes them again.

Moto's table of URLs is bound to its own classes, so a subclass would never be used: the methods are
set on the classes themselves. This works in ``mock_aws`` and in a served moto alike.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import Any, ClassVar

from moto.core.responses import ActionResult
from moto.sagemaker.exceptions import SagemakerClientError
from moto.sagemaker.models import FakeSagemakerNotebookInstance
from moto.sagemaker.responses import SageMakerResponse

from airflow_sagemaker_presign.local.sagemaker_api.api_errors import Answer, ApiError, internal_failure
from airflow_sagemaker_presign.local.sagemaker_api.faults import CallError
from airflow_sagemaker_presign.local.sagemaker_api.input_constraints import check_constraints
from airflow_sagemaker_presign.local.sagemaker_api.notebook_operations import NotebookOperations
from airflow_sagemaker_presign.local.sagemaker_api.request_parsing import input_shape, read_operation, read_parameters
from airflow_sagemaker_presign.local.sagemaker_api.training_jobs import TrainingJobs

_ABSENT = object()
_ANY_NOTEBOOK = "*"
_PARAMETERS = "local_parameters"
LOG = logging.getLogger(__name__)

BeforeCall = Callable[[SageMakerResponse, str, str | None], CallError | None]
AfterCall = Callable[[str, str | None, str | None], None]


class MotoPatches:
    """The changes to moto's classes; one set at a time in a process, because the classes are global."""

    _installed: ClassVar[MotoPatches | None] = None

    def __init__(self) -> None:
        self._saved: list[tuple[type, str, Any]] = []

    def install(self, notebooks: NotebookOperations, jobs: TrainingJobs, before: BeforeCall, after: AfterCall) -> None:
        """
        Install all patches.

        :param notebooks: the operations on notebook instances.
        :param jobs: the operations on training jobs.
        :param before: called before each call; returns the error with which it fails, if any.
        :param after: called after each call.
        """
        if MotoPatches._installed is not None:
            raise RuntimeError("A local SageMaker is installed in this process already; uninstall it first.")
        MotoPatches._installed = self
        for name in vars(NotebookOperations):
            if not name.startswith("_"):
                self._set(SageMakerResponse, name, _as_method(getattr(notebooks, name)))
        self._set(SageMakerResponse, "_dispatch", _dispatch(after))
        self._set(SageMakerResponse, "call_action", _call_action(before, after))
        # Moto's own list ends with the types of 2020; the request has already been checked against AWS's current model.
        self._set(FakeSagemakerNotebookInstance, "validate_instance_type", lambda _notebook, _type: None)
        create, describe = SageMakerResponse.create_training_job, SageMakerResponse.describe_training_job
        list_jobs = SageMakerResponse.list_training_jobs
        self._set(SageMakerResponse, "create_training_job", lambda r: jobs.created(r, create(r)))
        self._set(SageMakerResponse, "describe_training_job", lambda r: jobs.described(r, describe(r)))
        self._set(SageMakerResponse, "list_training_jobs", lambda r: jobs.listed(r, list_jobs))

    def uninstall(self) -> None:
        """Restore moto."""
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


def _dispatch(after: AfterCall) -> Callable[..., Answer]:
    """Reject requests that are not in the JSON protocol, and return all errors in it."""
    original = SageMakerResponse._dispatch

    def dispatch(response: SageMakerResponse, request: Any, *args: Any, **kwargs: Any) -> Answer:
        operation = "(none)"
        try:
            operation = read_operation(request.headers)
            vars(response)[_PARAMETERS] = read_parameters(operation, request.get_data())
            return original(response, request, *args, **kwargs)
        except ApiError as error:
            error_response = error
        except NotImplementedError:
            error_response = ApiError("NotImplementedException", f"The local SageMaker has no {operation}.", 501)
        except Exception:
            LOG.exception("The local SageMaker failed in %s.", operation)
            error_response = internal_failure()
        after(operation, None, error_response.code)
        return error_response.response()

    return dispatch


def _call_action(before: BeforeCall, after: AfterCall) -> Callable[[SageMakerResponse], Answer]:
    original = SageMakerResponse.call_action
    # Served moto handles each request in its own thread; the lock serializes concurrent starts.
    one_at_a_time = threading.Lock()

    def call_action(response: SageMakerResponse) -> Answer:
        with one_at_a_time:
            return answer_to(response)

    def answer_to(response: SageMakerResponse) -> Answer:
        operation = response._get_action() or "(none)"
        notebook = response._get_param("NotebookInstanceName")
        error = before(response, operation, notebook)
        if error is not None:
            answer = _error_for(error, response, operation, notebook)
        else:
            answer = _constraint_error(response, operation) or original(response)
        after(operation, notebook, _error_code(answer))
        return answer

    return call_action


def _error_for(error: CallError, response: SageMakerResponse, operation: str, notebook: str | None) -> Answer:
    error_response = ApiError("ThrottlingException", "Rate exceeded")
    if error is CallError.INTERNAL_FAILURE:
        error_response = internal_failure()
    elif error is CallError.ACCESS_DENIED:
        error_response = ApiError("AccessDeniedException", _denial(response, operation, notebook))
    return error_response.response()


def _constraint_error(response: SageMakerResponse, operation: str) -> Answer | None:
    shape = input_shape(operation)
    try:
        if shape is not None:
            check_constraints(shape, vars(response).get(_PARAMETERS, {}))
    except SagemakerClientError as error:
        return ApiError("ValidationException", str(error.message)).response()
    return None


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
