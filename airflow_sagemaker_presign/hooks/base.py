"""Base of the hooks: the AWS connection, and the AWS calls for any kind of workspace."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config
from botocore.exceptions import ClientError

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.hooks import aws_errors
from airflow_sagemaker_presign.hooks.error_codes import is_response
from airflow_sagemaker_presign.hooks.transport_errors import Route
from airflow_sagemaker_presign.minting.presigned_url import URL_VALIDITY, PresignedUrl
from airflow_sagemaker_presign.minting.url_capture import capture_minted_urls, redacted_before_logging
from airflow_sagemaker_presign.runtime import utc_now
from airflow_sagemaker_presign.usage.http_options import HttpOptions
from airflow_sagemaker_presign.validation import ca_bundle_of, extra_of, text_of, verify_of
from airflow_sagemaker_presign.workspaces.base import Observation, Page, Workspace

DEFAULT_TIMEOUTS = Config(connect_timeout=5, read_timeout=15)
NO_RETRIES = Config(retries={"total_max_attempts": 1}, max_pool_connections=1)


class WorkspaceHook(AwsBaseHook):
    """
    AWS calls for workspaces, over Airflow's standard AWS connection. Each raises a :class:`.WorkspaceError`.

    https://airflow.apache.org/docs/apache-airflow-providers-amazon/stable/connections/aws.html

    :param aws_conn_id: the Airflow connection; ``None``: boto3's own credential chain.
    :param region_name: the region; default: the connection's.
    :param verify: whether, or with which CA bundle, TLS certificates are checked; default: the connection's.
    :param config: botocore's client configuration, as a dict or a ``Config``; default: the connection's.
    :param clock: returns the time, as an aware datetime.
    :raises AwsConnectionUnusable: when a parameter is not valid.
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
        self._clock = clock
        self._has_responded = False
        self._making_client = threading.Lock()

    def describe(self, workspace: Workspace) -> dict[str, Any]:
        """Return AWS's description of a workspace."""
        with self._translated(workspace, "describe"):
            description = workspace.describe(self._sagemaker)
            try:
                workspace.observation_of(description)
            except (KeyError, TypeError):
                # botocore accepts any page with the HTTP status 200, from whatever server, as an empty response.
                problem = f"AWS returned a description without a status. ({self._route()})"
                raise exceptions.SageMakerOutOfReach(workspace.name, problem, noun=workspace.noun) from None
        return description

    def observe(self, workspace: Workspace) -> Observation:
        """Describe a workspace and return its status."""
        return workspace.observation_of(self.describe(workspace))

    def start(self, workspace: Workspace) -> bool:
        """Start a workspace; return ``False`` when it was already starting, which is no error."""
        return self._send("start", workspace, workspace.start)

    def stop(self, workspace: Workspace) -> bool:
        """Stop a workspace; return ``False`` when it was already stopping, which is no error."""
        return self._send("stop", workspace, workspace.stop)

    def mint(self, workspace: Workspace, session: timedelta, landing: str | None) -> PresignedUrl:
        """Mint a URL that opens the workspace for anybody who has it, for five minutes."""
        minted_at = self._clock()
        with redacted_before_logging(), self._translated(workspace, "presign a URL for"):
            url = workspace.mint(self._sagemaker, int(session.total_seconds()), landing)
        if "://" not in url:
            raise exceptions.SageMakerUnavailable(workspace.name, "AWS responded without a URL.", noun=workspace.noun)
        return PresignedUrl(
            url,
            name=workspace.name,
            minted_at=minted_at,
            expires_at=minted_at + URL_VALIDITY,
            session_expiration_duration=session,
            single_use=workspace.single_use,
        )

    def list_page(
        self,
        kind: type[Workspace],
        *,
        changed_after: datetime | None = None,
        status: str | None = None,
        next_token: str | None = None,
    ) -> Page:
        """Return a page of :meth:`.Workspace.list_page` of a kind of which AWS has a list."""
        with self._translated(kind, "list"):
            try:
                return kind.list_page(
                    self._sagemaker, changed_after=changed_after, status=status, next_token=next_token
                )
            except (KeyError, TypeError):
                problem = "AWS returned a list without names or statuses."
                raise exceptions.SageMakerUnavailable(aws_errors.ANY, problem) from None

    def arn_without_account(self, workspace: Workspace) -> str:
        """Return the workspace's ARN without its account, which no console link needs; no request is sent."""
        try:
            meta = self._sagemaker.meta
        except exceptions.WorkspaceError as error:
            raise error.about(workspace) from None
        return workspace.arn_in(meta.partition, meta.region_name)

    @property
    def config(self) -> Config:
        """
        The connection's botocore configuration, with shorter default timeouts.

        A request without a response would otherwise block for minutes, during which deadlines pass and URLs expire.
        """
        return DEFAULT_TIMEOUTS.merge(super().config)

    @property
    def verify(self) -> bool | str | None:
        """Whether, or with which CA bundle, TLS certificates are checked; the connection's value may be text."""
        verify: bool | str | None = ca_bundle_of(verify_of(super().verify))
        return verify

    @property
    def http_options(self) -> HttpOptions:
        """How requests reach a notebook's Jupyter server: with the certificates and proxies of those to AWS."""
        verify = self.verify
        return HttpOptions(True if verify is None else verify, getattr(self.config, "proxies", None))

    @classmethod
    def get_connection(cls, conn_id: str) -> Any:
        """Return the Airflow connection, unless its extra is not a JSON object, which Airflow would treat as empty."""
        connection = super().get_connection(conn_id)
        extra_of(connection.extra)
        return connection

    def connect_without_retries(self) -> None:
        """Create a client that does not retry and has one network connection: the caller decides on retries."""
        with _connecting(self._route):
            self.conn = self.get_client_type(region_name=self.region_name, config=self.config.merge(NO_RETRIES))

    def close(self) -> None:
        """Close the client's connections."""
        self._sagemaker.close()

    @property
    def has_connection(self) -> bool:
        """Whether Airflow has the connection; ``False``, too, while Airflow's database is not available."""
        with _connecting(self._route):
            return bool(self.conn_config)

    def renew(self) -> None:
        """Look the connection up again, so that the next request uses its current credentials."""
        with self._making_client:
            before = self.__dict__.pop("conn_config", None)
            self.__dict__.pop("conn", None)
            try:
                found = bool(self.conn_config)
            except Exception as error:
                self.log.info("The connection could not be read: %s", error)
                found = False
            if before and not found:
                self.conn_config = before

    @property
    def _sagemaker(self) -> Any:
        # Threads share a hook's client; since Python 3.12, cached_property does not lock.
        with self._making_client, _connecting(self._route):
            client: Any = self.conn
            capture_minted_urls(client)
            return client

    def _route(self) -> Route:
        """Return the route of a request, without creating a client, since that may be what failed."""
        client: Any = self.__dict__.get("conn")
        connection: Any = self.__dict__.get("conn_config")
        config = getattr(connection, "botocore_config", None)
        return Route(
            client.meta.endpoint_url if client else "",
            str(client.meta.region_name if client else getattr(connection, "region_name", None) or ""),
            getattr(config, "proxies", None),
            self._has_responded,
        )

    def _send(self, action: str, workspace: Workspace, send: Callable[[Any], None]) -> bool:
        with self._translated(workspace, action):
            try:
                send(self._sagemaker)
            except ClientError as error:
                if not workspace.is_wrong_status(*aws_errors.code_and_message(error)):
                    raise
                self.log.info("The %s was already in transition: %s", workspace, error)
                return False
        self.log.info("Sent a %s to the %s.", action, workspace)
        return True

    @contextmanager
    def _translated(self, workspace: Workspace | type[Workspace], action: str) -> Iterator[None]:
        """Translate botocore's errors into this package's, with AWS's text and without the long exception chain."""
        try:
            yield
        except exceptions.WorkspaceError as error:
            raise error.about(workspace) if isinstance(workspace, Workspace) else error from None
        except Exception as error:
            translated = aws_errors.translate(error, workspace, action, self._route())
            if translated is None:
                raise
            if is_response(translated.code):
                self._has_responded = True
            raise translated from None
        else:
            self._has_responded = True


@contextmanager
def _connecting(route: Callable[[], Route]) -> Iterator[None]:
    """Translate errors of a connection's lookup, or of a client's creation, into this package's errors."""
    try:
        yield
    except Exception as error:
        raise aws_errors.connection_error(error, route()) from None
