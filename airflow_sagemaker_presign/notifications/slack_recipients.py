"""The recipients of Slack messages, as people write and paste them."""

from __future__ import annotations

import re

from airflow_sagemaker_presign.notifications.email_addresses import mailboxes_of
from airflow_sagemaker_presign.notifications.rendering import as_text
from airflow_sagemaker_presign.validation import reject

USER_ALLOWED = (
    "an e-mail address, or a Slack user id such as 'U012AB3CD' (“Copy member ID” in a profile), of one person"
)
CHANNEL_ALLOWED = "a channel's name such as '#notebooks', or its id such as 'C012AB3CD', of one channel"
_FOR_A_PERSON = f"{CHANNEL_ALLOWED}; for a person, use the parameter user"

# Compiled when a recipient is read, not at each parse of a DAG file.
_USER_ID = r"[UW][A-Z0-9]{2,}"
_CHANNEL_ID = r"[CGD][A-Z0-9]{6,}"
# What Slack's own client puts on the clipboard: a mention, or “Copy link” of a profile or a channel.
_USER_PASTED = rf"<@(?P<mention>{_USER_ID})(?:\|[^>]*)?>|https://[\w.-]+\.slack\.com/team/(?P<link>{_USER_ID})/?"
_CHANNEL_PASTED = (
    rf"<#(?P<mention>{_CHANNEL_ID})(?:\|[^>]*)?>|#(?P<marked>{_CHANNEL_ID})"
    rf"|https://[\w.-]+\.slack\.com/archives/(?P<link>{_CHANNEL_ID})(?:/.*)?"
)
# Letters of any script; of ASCII punctuation only hyphens and underscores.
# https://slack.com/help/articles/217626408-Create-guidelines-for-channel-names
_CHANNEL_NAME = r"#?(?:[A-Za-z0-9_-]|[^\x00-\x7f\s]){1,80}"


def slack_user_of(value: object) -> str:
    """
    Return a person's user id or e-mail address, without anything around it.

    :raises ValueError: if it names no person or several, or is a handle, which Slack's API cannot look up.
    """
    text = as_text(value)
    if pasted := re.fullmatch(_USER_PASTED, text):
        return str(pasted["mention"] or pasted["link"])
    if re.fullmatch(_USER_ID, text):
        return text
    # Slack writes the mention of a group as <!subteam^…|@name>.
    if "@" not in text[1:] or text.startswith("<!"):
        reject("user", value, USER_ALLOWED)
    try:
        mailboxes = mailboxes_of("user", text)
    except ValueError:
        mailboxes = ()
    if len(mailboxes) != 1:
        reject("user", value, USER_ALLOWED)
    return mailboxes[0].spec


def slack_channel_of(value: object) -> str:
    """
    Return a channel's id or name, without anything around it.

    :raises ValueError: if it does not name exactly one channel.
    """
    text = as_text(value)
    if pasted := re.fullmatch(_CHANNEL_PASTED, text):
        return str(pasted["mention"] or pasted["marked"] or pasted["link"])
    if text in ("", "None") or not text.isprintable() or not re.fullmatch(_CHANNEL_NAME, text):
        reject("channel", value, _FOR_A_PERSON if "@" in text else CHANNEL_ALLOWED)
    return text
