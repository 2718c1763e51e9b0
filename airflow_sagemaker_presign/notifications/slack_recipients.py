"""Whom a Slack message is for, as people write and paste it."""

from __future__ import annotations

import re

from airflow_sagemaker_presign.notifications.email_addresses import mailboxes_of
from airflow_sagemaker_presign.validation import reject

USER_ALLOWED = (
    "an e-mail address, or a Slack user id such as 'U012AB3CD' (“Copy member ID” in a profile), of one person"
)
CHANNEL_ALLOWED = "a channel's name such as '#notebooks', or its id such as 'C012AB3CD', and one only"
_FOR_A_PERSON = f"{CHANNEL_ALLOWED}; for a person there is the parameter user"

# Compiled when a recipient is read, not with every parse of a DAG file.
_USER_ID = r"[UW][A-Z0-9]{2,}"
_CHANNEL_ID = r"[CGD][A-Z0-9]{6,}"
# As Slack's own client pastes them: a mention, or “Copy link” of a profile or a channel.
_USER_PASTED = rf"<@(?P<mention>{_USER_ID})(?:\|[^>]*)?>|https://[\w.-]+\.slack\.com/team/(?P<link>{_USER_ID})/?"
_CHANNEL_PASTED = (
    rf"<#(?P<mention>{_CHANNEL_ID})(?:\|[^>]*)?>|#(?P<marked>{_CHANNEL_ID})"
    rf"|https://[\w.-]+\.slack\.com/archives/(?P<link>{_CHANNEL_ID})(?:/.*)?"
)
# Letters of any script; of ASCII's punctuation hyphens and underscores only.
# https://slack.com/help/articles/217626408-Create-guidelines-for-channel-names
_CHANNEL_NAME = r"#?(?:[A-Za-z0-9_-]|[^\x00-\x7f\s]){1,80}"


def slack_user_of(value: object) -> str:
    """
    Read a person: the user id, or the e-mail address alone.

    :raises ValueError: when it is nobody, several people, or a handle, which nobody can be found by.
    """
    text = _text(value)
    if pasted := re.fullmatch(_USER_PASTED, text):
        return str(pasted["mention"] or pasted["link"])
    if re.fullmatch(_USER_ID, text):
        return text
    # Slack writes a mention of a whole group as <!subteam^…|@name>.
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
    Read a channel: its id, or its name.

    :raises ValueError: when it is none, or several.
    """
    text = _text(value)
    if pasted := re.fullmatch(_CHANNEL_PASTED, text):
        return str(pasted["mention"] or pasted["marked"] or pasted["link"])
    if text in ("", "None") or not text.isprintable() or not re.fullmatch(_CHANNEL_NAME, text):
        reject("channel", value, _FOR_A_PERSON if "@" in text else CHANNEL_ALLOWED)
    return text


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()
