"""Base of the operators that deliver a presigned URL, for any kind of workspace: start, wait, mint, deliver."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_sagemaker_presign import validation
from airflow_sagemaker_presign.delivery.link_mode import (
    LinkMode,
    launch_url_for,
    link_mode_of,
    reject_presigned_url_in_templates,
    warn_of_old_names_in_templates,
)
from airflow_sagemaker_presign.deprecation import with_old_keys
from airflow_sagemaker_presign.links import SageMakerNotebookLaunchLink
from airflow_sagemaker_presign.operators.allowed_users import AllowedUsers, WithAllowedUsers
from airflow_sagemaker_presign.operators.base import WorkspaceOperator

if TYPE_CHECKING:
    from airflow_sagemaker_presign.compat import BaseNotifier, Context
    from airflow_sagemaker_presign.minting.presigned_url import PresignedUrl


class PresignedUrlOperator(WithAllowedUsers, WorkspaceOperator):
    """
    Base of the operators that deliver a presigned URL; use a subclass.

    The URL is minted last, once for each notifier, and is valid for five minutes. Only the notifiers receive it; the
    return value is a receipt without it. A retry of the task starts over and sends to all notifiers again.

    On Airflow 3.1.1 and newer, the task also has a launch page: a page in Airflow that mints a URL when a signed-in
    user clicks. Its address is not a credential. It takes its parameters from the rendered template fields.

    :param notifiers: one or more Airflow notifiers, which send the link. Their templates have
        ``presigned_url`` (``.url``, ``.expires_at``, ``.minted_at``, ``.session_expiration_duration``),
        ``workspace`` (``.name``), AWS's description (``notebook_instance``), ``recipient``, ``launch_url``
        (empty where the message has no launch page), ``launch_page_valid_for``, ``session_expiration_duration``, and
        the whole Airflow context.
    :param session_expiration_duration: how long the session lasts once the URL was opened: 30 minutes to 12 hours, as
        a timedelta or in seconds. (templated when given as text)
    :param recipient: the person whom the link is for; a variable of the notifiers' templates. (templated)
    :param landing: the page that the workspace opens with.
    :param min_validity: how long the URL must still be valid when a send ends, as a timedelta or in seconds; a link
        that arrives later counts as not delivered.
    :param delivery_attempts: the maximum number of attempts per notifier, each with a new URL.
    :param require: whether ``"all"`` notifiers must deliver, or ``"any"`` one of them.
    :param link: the link in a message: ``"presigned"``, the URL that is valid for five minutes; ``"launch_page"``, the
        launch page and no credential; ``"both"``, which is the URL alone where there is no launch page (Airflow before
        3.1.1, or no ``[api] base_url``).
    :param allowed_users: the users who may open the launch page: ``"editors"`` for all who may edit the task instance,
        or a list of Airflow user names or e-mail addresses. (templated)
    :param launch_page_valid_for: how long the launch page works after the start of the task, as a timedelta or in
        seconds; rounded up to whole seconds.
    """

    landings: ClassVar[Sequence[str | None]] = (None,)
    """The values of ``landing``."""
    template_fields: Sequence[str] = (
        *WorkspaceOperator.template_fields,
        "session_expiration_duration",
        "recipient",
        "landing",
        "allowed_users",
        "launch_page_valid_for",
    )

    def __init__(
        self,
        *,
        notifiers: BaseNotifier | Sequence[BaseNotifier],
        session_expiration_duration: timedelta | int | str,
        recipient: str | None,
        landing: str | None,
        min_validity: timedelta | float,
        delivery_attempts: int,
        require: Literal["all", "any"],
        link: LinkMode,
        allowed_users: AllowedUsers,
        launch_page_valid_for: timedelta | float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.notifiers = validation.notifiers_of(notifiers)
        self.session_expiration_duration = session_expiration_duration
        if not validation.is_template(session_expiration_duration):
            self.session_expiration_duration = self._session_seconds()
        self.recipient = recipient
        self.landing = validation.one_of("landing", landing, self.landings)
        self.min_validity = validation.min_validity_of(min_validity)
        self.delivery_attempts = validation.positive_int_of("delivery_attempts", delivery_attempts)
        self.require = validation.one_of("require", require, ("all", "any"))
        self.link = link_mode_of(link)
        self._allowed_users = validation.allowed_users_of(allowed_users)
        self.launch_page_valid_for = math.ceil(
            validation.positive_duration_of("launch_page_valid_for", launch_page_valid_for).total_seconds()
        )
        warn_of_old_names_in_templates(self.notifiers)
        if self.link == "launch_page":
            reject_presigned_url_in_templates(self.notifiers)

    def execute(self, context: Context) -> dict[str, Any]:
        """Start the workspace, wait until it is ready, and deliver the link."""
        from airflow_sagemaker_presign.delivery.deliver import prepare
        from airflow_sagemaker_presign.waiting.state_machine import Goal

        self._check()
        validation.session_expiration_duration_of(self.session_expiration_duration)
        validation.rendered_allowed_users_of(self.allowed_users)
        # Detect undeliverable messages now, not after ten minutes of a machine that costs money.
        prepare(self.notifiers, self._for_notifiers(context), self.require)
        self._try("show the button to the launch page", lambda: SageMakerNotebookLaunchLink().persist(context))
        self.reach(context, Goal.READY)
        return self._deliver(context)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Continue after the trigger's event: deliver if the workspace is still ready, else keep waiting or raise."""
        self._check()
        self.reach_again(context, event)
        return self._deliver(context)

    def _for_notifiers(self, context: Context) -> dict[str, Any]:
        """Return the variables of the notifiers' templates that are known before the workspace runs."""
        return with_old_keys(
            {
                **context,
                "workspace": self.workspace,
                "recipient": self.recipient,
                "launch_url": launch_url_for(self.link, context["ti"]),
                "launch_page_valid_for": timedelta(seconds=self.launch_page_valid_for),
                "session_expiration_duration": timedelta(seconds=self._session_seconds()),
            }
        )

    def _deliver(self, context: Context) -> dict[str, Any]:
        from airflow_sagemaker_presign.delivery.attempts import DeliveryPolicy
        from airflow_sagemaker_presign.delivery.deliver import deliver

        for_notifiers = self._for_notifiers(context)
        # The last step of the wait has just observed the workspace: a second request would only cost time.
        description = self._worker_wait.description
        workspace, in_receipt = self.workspace, self._in_receipt(description)
        deliveries = deliver(
            self.notifiers,
            {**for_notifiers, workspace.description_variable(): description, "workspace_description": description},
            None if self.link == "launch_page" else self._mint,
            DeliveryPolicy(self.min_validity, self.delivery_attempts, self.require),
            workspace=workspace,
            runtime=self._runtime,
        )
        receipts = [delivery.receipt() for delivery in deliveries]
        launch_url = for_notifiers["launch_url"]
        sessions_end_by = [receipt["session_ends_by"] for receipt in receipts if "session_ends_by" in receipt]
        receipt = {
            **workspace.as_dict(),
            **in_receipt,
            "link": self.link if launch_url else "presigned",
            **({"launch_url": launch_url} if launch_url else {}),
            "session_expiration_duration": self._session_seconds(),
            **({"session_ends_by": max(sessions_end_by)} if sessions_end_by else {}),
            "deliveries": receipts,
        }
        return with_old_keys(receipt)

    def _in_receipt(self, description: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a description that are part of the receipt."""
        return {}

    def _mint(self) -> PresignedUrl:
        from airflow_sagemaker_presign.compat import mask_secret
        from airflow_sagemaker_presign.minting.redaction import quoted_forms

        presigned_url = self.hook.mint(self.workspace, timedelta(seconds=self._session_seconds()), self.landing)
        mask_secret([*quoted_forms(presigned_url.url)])
        return presigned_url

    def _session_seconds(self) -> int:
        duration = validation.session_expiration_duration_of(self.session_expiration_duration)
        return int(duration.total_seconds())
