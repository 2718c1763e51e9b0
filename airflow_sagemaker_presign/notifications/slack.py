"""The notebook's link by Slack."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_sagemaker_presign.delivery.send_errors import SendFailed, SendOutcomeUnknown, ServerAnswer
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

    from airflow_sagemaker_presign.notifications.message import FailureMessage, LinkMessage

_POST = "chat.postMessage"
_ONE_OF = f"exactly one of channel ({CHANNEL_ALLOWED}) and user ({USER_ALLOWED})"
_BLOCKS_REFUSED = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long")


_WILL_NOT_PASS = (
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


class _WillNotPass(SendFailed):
    """Slack does not know the person, or does not take the token; it will not a few minutes later either."""


class _BlocksRefused(SendFailed):
    """Slack does not take the message's blocks; it would take a text."""


class NotebookUrlSlackNotifier(NotebookUrlNotifier):
    """
    Sends a notebook's link by Slack, as a button; as ``on_failure_callback``, what went wrong and what to do.

    A URL that is too long for Slack's button (over 3,000 characters), as AWS's often are, is a link instead.

    The connection is Airflow's Slack API connection with a bot token. Scopes: ``chat:write``, and
    ``users:read.email`` to find a person by e-mail address. A person gets a direct message from the app.
    https://docs.slack.dev/reference/methods/chat.postMessage

    Slack's desktop shows a warning sign beside a link button once it was clicked, unless the app has an
    interactivity endpoint; the link opens all the same. An endpoint would get a copy of the message with the URL in
    it: name none but your own.

    :param channel: the channel (templated): everybody in it can open the notebook.
    :param user: or the person, by e-mail address or Slack user id (templated), such as ``"{{ recipient }}"``.
    :param note: words of your own in the message with the link (templated).
    :param timezone: the IANA time zone in which the message says times (templated); default: Airflow's
        ``core.default_timezone``.
    :param timeout: seconds to wait for Slack's answer; default: the connection's ``timeout``, else 30.
    :param slack_conn_id: the Airflow connection (templated).
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
            # Nothing was posted. Slack documents no limit for this link, so it may have one.
            self._post(link_as_text_payload(message))

    def send_failure(self, message: FailureMessage) -> None:
        """Post the message that says why there is no link."""
        from airflow_sagemaker_presign.notifications.slack_blocks import failure_payload

        self._post(failure_payload(message))

    def load_provider(self) -> None:
        """Import the Slack provider, and see that its connection has a token that can post."""
        from airflow_sagemaker_presign.notifications.connection_checks import check_slack_connection

        check_slack_connection(self.slack_conn_id, self._hook().get_connection(self.slack_conn_id))

    def check_recipient(self) -> None:
        """Raise a ``ValueError`` when the rendered message would go to nobody; else keep the id or address alone."""
        if self._is_for_a_person:
            self.user = slack_user_of(self.user)
        else:
            self.channel = slack_channel_of(self.channel)

    def check_service(self) -> None:
        """Ask Slack whether it knows the person, or at least takes the token."""
        hook = self._hook()
        try:
            if self._is_for_a_person and "@" in str(self.user):
                self._user_id(hook)
            else:
                self._call(hook, "auth.test")
        except _WillNotPass:
            raise
        except SendFailed as error:
            log.warning("Slack could not be asked before the notebook is there, which may pass: %s", error)

    def _post(self, payload: dict[str, Any]) -> None:
        self.check_recipient()
        hook = self._hook()
        recipient = self.channel or self._user_id(hook)
        # A user id is as good as a channel here: it opens the direct message, without a scope of its own.
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
        # slack_sdk logs bodies at DEBUG, and with them the link: its logger here has no such level.
        logger = logging.getLogger(f"{__name__}.slack_sdk")
        logger.setLevel(logging.INFO)
        # No retry handlers: a second send needs a fresh link, so it is the delivery's to make.
        return SlackHook(slack_conn_id=self.slack_conn_id, timeout=self.timeout, retry_handlers=[], logger=logger)

    def _call(self, hook: SlackHook, method: str, **arguments: Any) -> Any:
        """Call Slack once, and tell what certainly failed from what may have arrived."""
        from http.client import HTTPException, InvalidURL
        from urllib.error import URLError

        from slack_sdk.errors import SlackApiError, SlackRequestError

        # Slack's errors hold the request, and so the link. What is raised here does not: hence `from None`.
        try:
            return hook.call(method, **arguments)
        except SlackApiError as error:
            raise self._refused(method, error.response) from None
        except (URLError, SlackRequestError) as error:
            # urllib wraps in it what happens until the request is out, and nothing that happens later.
            raise SendFailed(f"Slack could not be reached: {getattr(error, 'reason', error)}.") from None
        except InvalidURL:
            # Said before anything is sent.
            raise SendFailed(
                "Slack could not be reached: check `base_url` and `proxy` in the extra of the Airflow connection "
                f"{self.slack_conn_id!r}, and the proxy of this machine."
            ) from None
        except (OSError, HTTPException, UnicodeDecodeError) as error:
            # A gateway's page in another encoding than it says is an answer that tells nothing.
            raise self._unanswered(method, type(error).__name__) from None

    def _refused(self, method: str, response: Any) -> SendFailed | SendOutcomeUnknown:
        from airflow_sagemaker_presign.delivery.send_errors import response_is_inconclusive
        from airflow_sagemaker_presign.notifications.slack_errors import describe_error

        recipient = str(self.channel or self.user)
        answer = response.data if isinstance(response.data, dict) else {}
        code = str(answer.get("error") or "")
        if response.status_code == 504 or (method == _POST and response_is_inconclusive(response.status_code, code)):
            # What is no code is the beginning of the answer, which quotes the message.
            said = code if code.isidentifier() else "its answer was cut short"
            how = f"HTTP status {response.status_code}" if response.status_code != 200 else said
            return self._unanswered(method, how)
        problem = describe_error(response.status_code, answer, recipient=recipient, connection=self.slack_conn_id)
        kind = _BlocksRefused if code in _BLOCKS_REFUSED else _WillNotPass if code in _WILL_NOT_PASS else SendFailed
        return kind(problem, ServerAnswer(response.status_code, dict(response.headers)))

    def _unanswered(self, method: str, how: str) -> SendFailed | SendOutcomeUnknown:
        if method != _POST:
            return SendFailed(f"Slack did not answer {method} ({how}).")
        return SendOutcomeUnknown(
            f"Slack had the message for {self.channel or self.user!r} and did not say that it posted it ({how}): it "
            "may have arrived. Look there before you clear the task."
        )
