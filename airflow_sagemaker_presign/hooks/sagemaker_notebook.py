"""AWS calls about notebook instances, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.hooks import aws_errors
from airflow_sagemaker_presign.hooks.transport_errors import Route
from airflow_sagemaker_presign.minting.presigned_url import DEFAULT_SESSION_EXPIRATION_DURATION, PresignedNotebookUrl
from airflow_sagemaker_presign.minting.url_capture import capture_minted_urls, redacted_before_logging, with_landing
from airflow_sagemaker_presign.validation import (
    ca_bundle_of,
    extra_of,
    landing_of,
    notebook_instance_name_of,
    session_expiration_duration_of,
    text_of,
    verify_of,
)
from airflow_sagemaker_presign.waiting import state_machine
from airflow_sagemaker_presign.waiting.outage_log import EXPIRED_CREDENTIALS_CODES, FirstResponse, OutageLog
from airflow_sagemaker_presign.waiting.state_machine import Action, Observation, Status, WaitState
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstancePage

MAX_RESULTS = 100
"""The most notebook instances that one answer lists."""

DEFAULT_TIMEOUTS = Config(connect_timeout=5, read_timeout=15)
NO_RETRIES = Config(retries={"total_max_attempts": 1}, max_pool_connections=1)


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class SageMakerNotebookInstanceHook(AwsBaseHook):
    """
    Start, stop and open Amazon SageMaker notebook instances.

    The connection is Airflow's ordinary AWS connection.
    https://airflow.apache.org/docs/apache-airflow-providers-amazon/stable/connections/aws.html

    :param aws_conn_id: the Airflow connection; ``None`` takes boto3's own credential chain.
    :param region_name: the region; default: the connection's.
    :param verify: whether, or with which CA bundle, TLS certificates are checked; default: the connection's.
    :param config: botocore's client configuration, as a dict or a ``Config``; default: the connection's.
    :param clock: tells the time; for tests.
    :raises AwsConnectionUnusable: when a parameter is none that a client can be made with.
    """

    def __init__(
        self,
        aws_conn_id: str | None = "aws_default",
        *,
        region_name: str | None = None,
        verify: bool | str | None = None,
        config: dict[str, Any] | Config | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        with _connecting(lambda: Route(region=str(region_name or ""))):
            super().__init__(
                aws_conn_id=text_of("aws_conn_id", aws_conn_id),
                region_name=text_of("region_name", region_name),
                verify=verify_of(verify),
                config=config,
                client_type="sagemaker",
            )
        self.clock = clock
        self._outage_log = OutageLog()
        self._first_response = FirstResponse()
        self._accepted = False
        self._making_client = threading.Lock()

    def describe_notebook_instance(self, name: str) -> dict[str, Any]:
        """
        Return what AWS says of a notebook instance.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeNotebookInstance.html

        :param name: the notebook instance.
        :raises ValueError: when the name cannot be one.
        :raises NotebookInstanceError: the class that says why AWS did not answer.
        """
        name = notebook_instance_name_of(name)
        with self._translated(name, "describe"):
            description: dict[str, Any] = self._client.describe_notebook_instance(NotebookInstanceName=name)
            if "NotebookInstanceStatus" not in description:
                # Any server's page does for an answer, if its HTTP status is 200: botocore reads nothing in it.
                problem = f"AWS answered with a description without a status. ({self._route()})"
                raise exceptions.SageMakerOutOfReach(name, problem)
        return description

    def start_notebook_instance(self, name: str) -> str:
        """
        Start a notebook instance if its status lets it; safe to call in any status.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StartNotebookInstance.html

        :param name: the notebook instance.
        :return: the status after the call.
        :raises NotebookInstanceError: the class that says why AWS refused.
        """
        status = self._status(name)
        if status not in state_machine.CAN_START:
            return status
        return Status.PENDING.value if self.send(Action.START, name) else self._status(name)

    def stop_notebook_instance(self, name: str) -> str:
        """
        Stop a notebook instance if its status lets it; safe to call in any status.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopNotebookInstance.html

        :param name: the notebook instance.
        :return: the status after the call. AWS stops from InService only: a Pending one has to be waited for.
        :raises NotebookInstanceError: the class that says why AWS refused.
        """
        status = self._status(name)
        if status not in state_machine.CAN_STOP:
            return status
        return Status.STOPPING.value if self.send(Action.STOP, name) else self._status(name)

    def create_presigned_url(
        self,
        name: str,
        session_expiration_duration: timedelta | int | None = None,
        landing: Literal["lab", "classic"] | None = None,
    ) -> PresignedNotebookUrl:
        """
        Mint a URL that opens the notebook instance for whoever holds it, for the next five minutes.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreatePresignedNotebookInstanceUrl.html

        :param name: the notebook instance; it has to be InService.
        :param session_expiration_duration: how long the Jupyter session lasts once opened: 30 minutes to 12 hours,
            as a timedelta or in seconds; default: 12 hours.
        :param landing: ``"lab"`` opens JupyterLab, ``"classic"`` the classic page, ``None`` what AWS opens.
        :raises ValueError: when a parameter is out of its range; before any request.
        :raises NotebookInstanceError: the class that says why AWS refused.
        """
        name = notebook_instance_name_of(name)
        landing = landing_of(landing)
        duration = (
            DEFAULT_SESSION_EXPIRATION_DURATION
            if session_expiration_duration is None
            else session_expiration_duration_of(session_expiration_duration)
        )
        minted_at = self.clock()
        url = self._mint(name, int(duration.total_seconds()))
        return PresignedNotebookUrl(
            with_landing(url, landing),
            notebook_instance_name=name,
            minted_at=minted_at,
            session_expiration_duration=duration,
        )

    def arn_without_account(self, name: str) -> str:
        """
        Return the notebook instance's ARN without asking AWS; the account, which it leaves empty, no console link
        needs.

        :param name: the notebook instance.
        :raises NotebookInstanceError: the class that says why there is no client, which knows the region.
        """
        return f"arn:{self.conn_partition}:sagemaker:{self.conn_region_name}::notebook-instance/{name}"

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self.clock().timestamp()

    def observe(self, name: str) -> Observation:
        """
        Describe a notebook instance, and take from it what a wait needs.

        :param name: the notebook instance.
        :raises NotebookInstanceError: the class that says why AWS did not answer.
        """
        description = self.describe_notebook_instance(name)
        try:
            return Observation.from_description(description)
        except (KeyError, TypeError):
            raise exceptions.SageMakerUnavailable(name, "AWS answered with a description without a status.") from None

    def list_notebook_instances(
        self,
        *,
        last_modified_after: datetime | None = None,
        status_equals: str | None = None,
        next_token: str | None = None,
    ) -> NotebookInstancePage:
        """
        List notebook instances of the account and region, one page of them.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListNotebookInstances.html

        :param last_modified_after: only what changed after this moment of AWS's clock.
        :param status_equals: only what has this status.
        :param next_token: where to go on, as the page before said; the other arguments have to be the same.
        :raises NotebookInstanceError: the class that says why AWS did not answer.
        """
        asked = {
            "LastModifiedTimeAfter": last_modified_after,
            "StatusEquals": status_equals,
            "NextToken": next_token,
            "MaxResults": MAX_RESULTS,
        }
        with self._translated(aws_errors.ANY, "list"):
            answer = self._client.list_notebook_instances(**{key: value for key, value in asked.items() if value})
        try:
            return NotebookInstancePage.from_answer(answer)
        except (KeyError, TypeError):
            raise exceptions.SageMakerUnavailable(
                aws_errors.ANY, "AWS answered with a list without names or statuses."
            ) from None

    @property
    def config(self) -> Config:
        """
        Botocore's configuration, as the connection has it.

        A request that is never answered is given up sooner than botocore does, unless the connection says otherwise:
        a deadline may pass meanwhile, and a URL that was minted grows old.
        """
        return DEFAULT_TIMEOUTS.merge(super().config)

    @property
    def verify(self) -> bool | str | None:
        """Whether, or with which CA bundle, TLS certificates are checked; the connection may say so as text."""
        verify: bool | str | None = ca_bundle_of(verify_of(super().verify))
        return verify

    @classmethod
    def get_connection(cls, conn_id: str) -> Any:
        """
        Look the connection up.

        :raises ValueError: when its extra is none; Airflow would go on as if it were empty.
        """
        connection = super().get_connection(conn_id)
        extra_of(connection.extra)
        return connection

    def connect_without_retries(self) -> None:
        """
        Make this hook's client one that sends a request once, over one connection: its caller decides on retries.

        :raises SageMakerUnavailable: when that may well work later.
        :raises AwsConnectionUnusable: when no client can be made of the connection.
        """
        with _connecting(self._route):
            self.conn = self.get_client_type(region_name=self.region_name, config=self.config.merge(NO_RETRIES))

    def close(self) -> None:
        """Give the client's connection back."""
        self._client.close()

    @property
    def has_connection(self) -> bool:
        """
        Whether Airflow has the connection. It says no, too, while its database is away.

        :raises NotebookInstanceError: the class that says why it cannot be read.
        """
        with _connecting(self._route):
            return bool(self.conn_config)

    def renew(self) -> None:
        """Look the connection up anew: the next request is sent with the credentials that it has now."""
        with self._making_client:
            before = self.__dict__.pop("conn_config", None)
            self.__dict__.pop("conn", None)
            try:
                found = bool(self.conn_config)
            except Exception as error:
                self.log.info("The connection could not be read just now: %s", error)
                found = False
            if before and not found:
                self.conn_config = before

    def advance(self, wait: WaitState) -> tuple[WaitState, bool]:
        """
        Take one step of a wait: observe, decide, and send a Start or Stop if needed.

        :param wait: what the wait knows so far.
        :return: what it knows now, and whether it reached its goal.
        :raises NotebookInstanceError: the class that says why the goal will not be reached.
        """
        name, before = wait.notebook_instance_name, wait
        try:
            observation = self.observe(name)
            wait, action = state_machine.transition(wait, observation, self.now())
            if wait.status != before.status:
                self.log.info("Notebook instance %s is %s.", name, wait.status)
            if action in (Action.START, Action.STOP):
                self.send(action, name)
                wait = wait.after_sending(observation, self.now())
        except exceptions.NotebookInstanceNotFound as error:
            raise state_machine.not_found(wait, error) from None
        except exceptions.NotebookInstanceError as error:
            return self.after_failed_request(wait, error), False
        if line := self._outage_log.request_succeeded(self.now()):
            self.log.info("%s", line)
        return wait, action is Action.DONE

    def after_failed_request(self, wait: WaitState, error: exceptions.NotebookInstanceError) -> WaitState:
        """
        Note that a request for a wait failed.

        :param wait: what the wait knows so far.
        :param error: why.
        :return: what it knows now.
        :raises NotebookInstanceError: the class that says why it ends: the error itself when no waiting helps.
        """
        now, error = (
            self.now(),
            aws_errors.transient_if_accepted_before(error, accepted=self._accepted or bool(wait.status)),
        )
        if not isinstance(error, exceptions.SageMakerUnavailable):
            raise error.about(wait.notebook_instance_name)
        if line := self._outage_log.request_failed(error, now):
            self.log.warning("%s", line)
        if error.code in aws_errors.STALE_CREDENTIALS_CODES:
            self.renew()
        self._first_response.failed(error, now)
        given_up = None if wait.status else self._first_response.given_up(now)
        if given_up is not None:
            raise given_up.about(wait.notebook_instance_name)
        return wait.after_failed_request(error.problem, now, error.advice)

    def send(self, action: Action, name: str) -> bool:
        """
        Send a Start or Stop.

        :param action: which of the two.
        :param name: the notebook instance.
        :return: ``False`` when somebody else was first, which is no error.
        :raises NotebookInstanceError: the class that says why AWS refused.
        """
        send = self._client.start_notebook_instance if action is Action.START else self._client.stop_notebook_instance
        with self._translated(name, action.value):
            try:
                send(NotebookInstanceName=name)
            except self._client.exceptions.ClientError as error:
                if not aws_errors.is_wrong_status(error):
                    raise
                self.log.info("Notebook instance %s was already on its way: %s", name, error)
                return False
        self.log.info("Sent a %s to notebook instance %s.", action.value, name)
        return True

    @property
    def _client(self) -> Any:
        # Threads share a hook's client; since Python 3.12 nothing but this keeps each from making one.
        with self._making_client, _connecting(self._route):
            client: Any = self.conn
            capture_minted_urls(client)
            return client

    def _route(self) -> Route:
        """Return which way a request takes, without making a client: it may be that that failed."""
        client: Any = self.__dict__.get("conn")
        connection: Any = self.__dict__.get("conn_config")
        config = getattr(connection, "botocore_config", None)
        return Route(
            client.meta.endpoint_url if client else "",
            str(client.meta.region_name if client else getattr(connection, "region_name", None) or ""),
            getattr(config, "proxies", None),
            self._first_response.has_arrived,
        )

    @contextmanager
    def _translated(self, name: str, action: str) -> Iterator[None]:
        """Turn botocore's errors into this package's; the AWS text stays, the chain (which is long) does not."""
        try:
            yield
        except exceptions.NotebookInstanceError as error:
            raise error.about(name) from None
        except Exception as error:
            translated = aws_errors.translate(error, name, action, self._route())
            if translated is None:
                raise
            if translated.code and translated.code not in EXPIRED_CREDENTIALS_CODES:
                self._first_response.arrived()
            raise translated from None
        else:
            self._accepted = True
            self._first_response.arrived()

    def _status(self, name: str) -> str:
        return str(self.describe_notebook_instance(name)["NotebookInstanceStatus"])

    def _mint(self, name: str, seconds: int) -> str:
        with redacted_before_logging(), self._translated(name, "presign a URL for"):
            answer = self._client.create_presigned_notebook_instance_url(
                NotebookInstanceName=name, SessionExpirationDurationInSeconds=seconds
            )
        url = answer.get("AuthorizedUrl")
        if not isinstance(url, str) or "://" not in url:
            raise exceptions.SageMakerUnavailable(name, "AWS answered without a URL.")
        return url


@contextmanager
def _connecting(route: Callable[[], Route]) -> Iterator[None]:
    """Turn what can be raised while a connection is looked up, or a client made, into this package's errors."""
    try:
        yield
    except Exception as error:
        raise aws_errors.connection_error(error, route()) from None
