"""The notifier that sends the notebook's link by Slack."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_sagemaker_presign.delivery.send_errors import SendFailed, SendOutcomeUnknown, ServiceResponse
from airflow_sagemaker_presign.notifications.base import NotebookUrlNotifier, optional_text
from airflow_sagemaker_presign.notifications.slack_recipients import (
    CHANNEL_ALLOWED,
    USER_ALLOWED,
    slack_channel_of,
    slack_user_of,
)
from airflow_sagemaker_presign.validation import is_template, positive_int_of, reject

if TYPE_CHECKING:
    from airflow.providers.slack.hooks.slack import SlackHook

    from airflow_sagemaker_presign.notifications.failure_message import FailureMessage
    from airflow_sagemaker_presign.notifications.link_message import LinkMessage
    from airflow_sagemaker_presign.notifications.stop_warning_message import StopWarningMessage

__all__ = ["NotebookUrlSlackNotifier"]

_POST = "chat.postMessage"
_ONE_OF = f"exactly one of channel ({CHANNEL_ALLOWED}) and user ({USER_ALLOWED})"
_BLOCKS_REFUSED = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long")
_PERMANENT_ERRORS = (
    "users_not_found",
    "missing_scope",
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "not_allowed_token_type",
    "no_permission",
)

log = logging.getLogger(__name__)


class _PermanentlyRefused(SendFailed):
    """Slack does not know the person or does not accept the token, which will not change within minutes."""


class _BlocksRefused(SendFailed):
    """Slack does not accept the message's blocks; it may accept a plain text."""


class NotebookUrlSlackNotifier(NotebookUrlNotifier):
    """
    Sends a notebook's link or a stop warning by Slack, with a button; as ``on_failure_callback``, what went wrong.

    A URL that is too long for Slack's button (over 3,000 characters), as AWS's often are, becomes a link instead.

    The connection is Airflow's Slack API connection with a bot token. Scopes: ``chat:write``, and
    ``users:read.email`` to find a person by e-mail address. A person gets a direct message from the app.
    https://docs.slack.dev/reference/methods/chat.postMessage

    Slack's desktop app shows a warning sign beside a link button after a click, unless the Slack app has an
    interactivity endpoint; the link opens all the same. An endpoint gets a copy of the message with the URL, so
    configure only your own.

    :param channel: the channel (templated). Everybody in it can open the notebook. Give either this or ``user``.
    :param user: the person, by e-mail address or Slack user id (templated), such as ``"{{ recipient }}"``.
    :param note: your own words in the message with the link (templated).
    :param timezone: the IANA time zone of the times in the message (templated); default: Airflow's
        ``core.default_timezone``.
    :param timeout: the seconds to wait for Slack's response; default: the connection's ``timeout``, or 30.
    :param slack_conn_id: the Airflow connection (templated).
    :raises ValueError: if a parameter is not valid.
    """

    template_fields: Sequence[str] = (*NotebookUrlNotifier.template_fields, "channel", "user", "slack_conn_id")
    recipient_fields = ("channel", "user")

    def __init__(
        self,
        *,
        channel: str | None = None,
        user: str | None = None,
        note: str | None = None,
        timezone: str | None = None,
        timeout: int | None = None,
        slack_conn_id: str = "slack_api_default",
    ) -> None:
        super().__init__(note=note, timezone=timezone)
        if (channel is None) == (user is None):
            reject("channel, user", (channel, user), _ONE_OF)
        self._is_for_a_person = user is not None
        self.channel = optional_text("channel", channel)
        self.user = optional_text("user", user)
        self.timeout = None if timeout is None else positive_int_of("timeout", timeout)
        self.slack_conn_id = slack_conn_id
        if not is_template(channel if user is None else user):
            self.check_recipient()

    def send_link(self, message: LinkMessage) -> None:
        """Post the message with the link."""
        self._post_with_button(message)

    def send_warning(self, message: StopWarningMessage) -> None:
        """Post the message that the notebook will be stopped."""
        self._post_with_button(message)

    def _post_with_button(self, message: LinkMessage | StopWarningMessage) -> None:
        from airflow_sagemaker_presign.notifications.slack_blocks import (
            MAX_BUTTON_URL,
            link_as_text_payload,
            link_payload,
        )

        try:
            self._post(link_payload(message))
        except _BlocksRefused:
            if len(message.url) <= MAX_BUTTON_URL:
                raise
            # Nothing was posted. Slack documents no limit for the length of this link, but it may have one.
            self._post(link_as_text_payload(message))

    def send_failure(self, message: FailureMessage) -> None:
        """Post the message about the failure."""
        from airflow_sagemaker_presign.notifications.slack_blocks import failure_payload

        self._post(failure_payload(message))

    def load_provider(self) -> None:
        """Import the Slack provider, and check that its connection has a token that can post."""
        from airflow_sagemaker_presign.notifications.connection_checks import check_slack_connection

        check_slack_connection(self.slack_conn_id, self._hook().get_connection(self.slack_conn_id))

    def check_recipient(self) -> None:
        """Raise a ``ValueError`` if the rendered message has no recipient; otherwise keep only the id or address."""
        if self._is_for_a_person:
            self.user = slack_user_of(self.user)
        else:
            self.channel = slack_channel_of(self.channel)

    def check_service(self) -> None:
        """Check that Slack knows the person, or at least accepts the token."""
        hook = self._hook()
        try:
            if self._is_for_a_person and "@" in str(self.user):
                self._user_id(hook)
            else:
                self._call(hook, "auth.test")
        except _PermanentlyRefused:
            raise
        except SendFailed as error:
            log.warning("Slack could not be checked before the notebook starts; this may be transient: %s", error)

    def _post(self, payload: dict[str, Any]) -> None:
        self.check_recipient()
        hook = self._hook()
        recipient = self.channel or self._user_id(hook)
        # Slack accepts a user id as the channel: it opens the direct message, and needs no further scope.
        self._call(hook, _POST, json={"channel": recipient, **payload})

    def _user_id(self, hook: SlackHook) -> str:
        user = str(self.user)
        if "@" not in user:
            return user
        return str(self._call(hook, "users.lookupByEmail", params={"email": user})["user"]["id"])

    def _hook(self) -> SlackHook:
        try:
            from airflow.providers.slack.hooks.slack import SlackHook
        except ImportError as error:
            raise SendFailed(
                "The Slack provider is not installed. Install airflow-sagemaker-presign[slack] where the tasks run."
            ) from error
        # At DEBUG slack_sdk logs request bodies, which have the link in them: this logger's level is higher.
        logger = logging.getLogger(f"{__name__}.slack_sdk")
        logger.setLevel(logging.INFO)
        # No retry handlers: a second send needs a fresh link, so only the delivery retries.
        return SlackHook(slack_conn_id=self.slack_conn_id, timeout=self.timeout, retry_handlers=[], logger=logger)

    def _call(self, hook: SlackHook, method: str, **arguments: Any) -> Any:
        """Call Slack once; the error shows whether the message certainly failed or may have arrived."""
        from http.client import HTTPException, InvalidURL
        from urllib.error import URLError

        from slack_sdk.errors import SlackApiError, SlackRequestError

        # Slack's errors hold the request, and with it the link. Hence `from None`: what is raised here must not.
        try:
            return hook.call(method, **arguments)
        except SlackApiError as error:
            raise self._refused(method, error.response) from None
        except (URLError, SlackRequestError) as error:
            # urllib raises URLError for what fails before the request is sent, and for nothing that fails later.
            raise SendFailed(f"Slack could not be reached: {getattr(error, 'reason', error)}.") from None
        except InvalidURL:
            # Raised before anything is sent.
            raise SendFailed(
                "Slack could not be reached: check `base_url` and `proxy` in the extra of the Airflow connection "
                f"{self.slack_conn_id!r}, and the proxy of this machine."
            ) from None
        except (OSError, HTTPException, UnicodeDecodeError) as error:
            # A gateway's page in another encoding than it declares reveals nothing about the message.
            raise self._unconfirmed(method, type(error).__name__) from None

    def _refused(self, method: str, response: Any) -> SendFailed | SendOutcomeUnknown:
        from airflow_sagemaker_presign.delivery.send_errors import response_is_inconclusive
        from airflow_sagemaker_presign.notifications.slack_errors import describe_error

        recipient = str(self.channel or self.user)
        body = response.data if isinstance(response.data, dict) else {}
        code = str(body.get("error") or "")
        if response.status_code == 504 or (method == _POST and response_is_inconclusive(response.status_code, code)):
            # What is not an error code is the start of the response, which quotes the message.
            reason = code if code.isidentifier() else "its response was cut short"
            how = f"HTTP status {response.status_code}" if response.status_code != 200 else reason
            return self._unconfirmed(method, how)
        problem = describe_error(response.status_code, body, recipient=recipient, connection=self.slack_conn_id)
        kind = SendFailed
        if code in _BLOCKS_REFUSED:
            kind = _BlocksRefused
        elif code in _PERMANENT_ERRORS:
            kind = _PermanentlyRefused
        return kind(problem, ServiceResponse(response.status_code, dict(response.headers)))

    def _unconfirmed(self, method: str, how: str) -> SendFailed | SendOutcomeUnknown:
        if method != _POST:
            return SendFailed(f"Slack did not respond to {method} ({how}).")
        return SendOutcomeUnknown(
            f"Slack got the message for {self.channel or self.user!r} and did not confirm that it posted it ({how}): "
            "it may have arrived. Check in Slack before you clear the task."
        )
