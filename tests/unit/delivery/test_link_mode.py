"""What a message carries: the presigned URL, the launch page, or both."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_sagemaker_presign import compat
from airflow_sagemaker_presign.compat import BaseNotifier
from airflow_sagemaker_presign.delivery import link_mode
from airflow_sagemaker_presign.exceptions import LinkDeliveryError
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.notifications.slack import NotebookUrlSlackNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerPresignedNotebookUrlOperator as Link
from tests.helpers.scripted_sagemaker import URL, Clock, Script

LAUNCH_URL = "https://airflow.example.com/sagemaker-notebooks/mornings/manual__1/notebook"


class Recorder(BaseNotifier):
    template_fields = ("text", "more")

    def __init__(
        self, text: Any = "launch page: {% if launch_url %}{{ launch_url }}{% endif %}", more: Any = None
    ) -> None:
        super().__init__()
        self.text, self.more = text, more
        self.sent: list[tuple[str, str]] = []

    def notify(self, context: Any) -> None:
        self.sent.append((self.text, getattr(context.get("presigned_url"), "url", "none")))


@pytest.fixture(autouse=True)
def launch_page(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """An Airflow with a launch page, whichever runs the tests, that has logged nothing yet."""
    monkeypatch.setattr(compat, "HAS_LAUNCH_PAGE", True)
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/")
    monkeypatch.setattr("airflow_sagemaker_presign.compat.mask_secret", lambda *_: None, raising=False)
    link_mode._log_missing_launch_page.cache_clear()
    clock.now = datetime.now(UTC)


@pytest.fixture
def no_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "")


@pytest.fixture
def run(hook: SageMakerNotebookInstanceHook, clock: Clock, context: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    def run(notifier: BaseNotifier, **kwargs: Any) -> dict[str, Any]:
        operator: Any = Link(
            task_id="notebook", notebook_instance_name="research", notifiers=notifier, deferrable=False, **kwargs
        )
        operator.__dict__["hook"] = hook
        operator._runtime = clock
        return operator.execute(context)  # type: ignore[no-any-return]

    return run


Run = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("link", "launch_url", "presigned_url"),
    [
        ("presigned", "", f"{URL}&view=lab"),
        ("launch_page", LAUNCH_URL, "none"),
        ("both", LAUNCH_URL, f"{URL}&view=lab"),
    ],
)
def test_a_message_carries_what_was_chosen(
    run: Run, sagemaker: Script, link: str, launch_url: str, presigned_url: str
) -> None:
    sagemaker.describe("InService")
    if link != "launch_page":
        sagemaker.mint()
    notifier = Recorder()
    receipt = run(notifier, link=link)
    assert notifier.sent == [(f"launch page: {launch_url}", presigned_url)]
    assert receipt["link"] == link
    assert receipt.get("launch_url", "") == launch_url
    assert ("session_ends_by" in receipt) == (link != "launch_page")
    assert {"notifier", "attempts", "delivered_at"} <= set(receipt["deliveries"][0])
    assert ("minted_at" in receipt["deliveries"][0]) == (link != "launch_page")
    assert "authToken" not in repr(receipt)


@pytest.mark.parametrize(("supported", "needed"), [(True, "[api] base_url"), (False, "Airflow 3.1.1 or newer")])
def test_both_without_a_launch_page_is_the_presigned_url_and_logs_once_what_a_launch_page_needs(
    run: Run,
    sagemaker: Script,
    no_base_url: None,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    supported: bool,
    needed: str,
) -> None:
    monkeypatch.setattr(compat, "HAS_LAUNCH_PAGE", supported)
    notifier = Recorder()
    with caplog.at_level(logging.INFO, logger=link_mode.__name__):
        for _ in range(2):
            sagemaker.describe("InService").mint()
            receipt = run(notifier)
            assert receipt["link"] == "presigned"
            assert "launch_url" not in receipt
    assert notifier.sent == [("launch page: ", f"{URL}&view=lab")] * 2
    (text,) = [record.getMessage() for record in caplog.records if record.name == link_mode.__name__]
    assert f"a launch page needs {needed}" in text


def test_the_launch_page_without_a_base_url_is_an_error_before_the_first_aws_call(
    run: Run, sagemaker: Script, no_base_url: None
) -> None:
    with pytest.raises(
        ValueError, match=r"link='launch_page': must be 'presigned' or 'both' unless \[api\] base_url is set"
    ):
        run(Recorder(), link="launch_page")


def test_a_base_url_that_is_lost_during_the_wait_sends_no_credential_instead(
    hook: SageMakerNotebookInstanceHook, clock: Clock, context: dict[str, Any], no_base_url: None, sagemaker: Script
) -> None:
    notifier = Recorder()
    operator: Any = Link(task_id="notebook", notebook_instance_name="research", notifiers=notifier, link="launch_page")
    operator.__dict__["hook"] = hook
    operator._runtime = clock
    sagemaker.describe("InService")
    with pytest.raises(ValueError, match=r"\[api\] base_url"):
        operator.execute_complete(context, {"status": "success", "notebook_instance_status": "InService"})
    assert notifier.sent == []


def test_the_launch_page_is_an_error_at_parse_on_an_airflow_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "HAS_LAUNCH_PAGE", False)
    with pytest.raises(ValueError, match=r"link='launch_page': must be .*Airflow 3\.1\.1 or newer"):
        Link(task_id="notebook", notebook_instance_name="research", notifiers=Recorder(), link="launch_page")
    Link(task_id="notebook", notebook_instance_name="research", notifiers=Recorder(), link="both")


SPEAKS = "{{ presigned_url.url }}"


@pytest.mark.parametrize(
    ("notifier", "field"),
    [
        (Recorder(SPEAKS), "text"),
        (Recorder("{{ ts | ts_nodash }}" + SPEAKS), "text"),
        (Recorder("{% if x %}{{ presigned_url.expires_at | ds }}{% endif %}"), "text"),
        (Recorder(more=[{"type": "section", "text": {"text": f"<{SPEAKS}|Open>"}}]), "more"),
        (Recorder(more=("x", {"y": [SPEAKS]})), "more"),
        (NotebookUrlSmtpNotifier(note="until {{ presigned_url.expires_at }}"), "note"),
        (NotebookUrlSmtpNotifier(subject="{{ presigned_url.notebook_instance_name }}"), "subject"),
    ],
)
def test_a_template_that_uses_the_presigned_url_is_an_error_at_parse(notifier: BaseNotifier, field: str) -> None:
    with pytest.raises(ValueError, match=rf"notifiers\[1\]\.{field}=.* no presigned_url; use {{{{ launch_url }}}} or"):
        Link(task_id="t", notebook_instance_name="r", notifiers=[Recorder(), notifier], link="launch_page")
    Link(task_id="t", notebook_instance_name="r", notifiers=[Recorder(), notifier], link="both")


@pytest.mark.parametrize(
    "notifier",
    [
        Recorder("the presigned_url is not used here"),
        Recorder("{{ my_presigned_url }}"),
        Recorder("{% raw %}{{ presigned_url }}{% endraw %}"),
        Recorder("{% if presigned_url is defined %}{{ presigned_url.url }}{% else %}{{ launch_url }}{% endif %}"),
        Recorder("{% broken presigned_url"),
        NotebookUrlSmtpNotifier(),
        NotebookUrlSlackNotifier(user="{{ recipient }}", note="{{ launch_url }}"),
    ],
)
def test_a_template_that_does_not_use_it_is_accepted(notifier: BaseNotifier) -> None:
    operator = Link(task_id="t", notebook_instance_name="r", notifiers=notifier, link="launch_page")
    assert operator.link == "launch_page"


def test_a_warning_has_no_presigned_url_for_another_reason() -> None:
    notifiers = [Recorder("{{ stop_warning.stops_at }} {{ launch_url }}"), Recorder(SPEAKS)]
    with pytest.raises(
        ValueError, match=r"notifiers\[1\]\.text=.*: a warning has no presigned_url; use {{ stop_warning"
    ):
        link_mode.reject_presigned_url_in_templates(notifiers, link_mode.NO_PRESIGNED_URL_IN_WARNING)


class AsksInCode(Recorder):
    def notify(self, context: Any) -> None:
        context["presigned_url"]


class AsksInATemplateMadeLate(Recorder):
    def prepare(self, context: Any) -> None:
        self.text = SPEAKS


@pytest.mark.parametrize("kind", [AsksInCode, AsksInATemplateMadeLate])
def test_a_notifier_that_uses_it_only_when_it_sends_fails_and_is_not_retried(
    run: Run, sagemaker: Script, clock: Clock, kind: type[Recorder]
) -> None:
    before = clock.time()
    sagemaker.describe("InService")
    with pytest.raises(LinkDeliveryError) as raised:
        run(kind(), link="launch_page")
    assert list(raised.value.failures.values()) == [link_mode.NO_PRESIGNED_URL]
    assert clock.time() == before, "it was tried again"


def test_a_notifier_that_fails_is_retried_without_a_mint(run: Run, sagemaker: Script) -> None:
    class Fails(Recorder):
        def notify(self, context: Any) -> None:
            self.sent.append(("tried", ""))
            if len(self.sent) < 3:
                raise KeyError("something else")

    sagemaker.describe("InService")
    assert run(Fails(), link="launch_page")["deliveries"][0]["attempts"] == 3


@pytest.mark.parametrize(
    ("given", "kept"), [(timedelta(days=2), 172800), (3600, 3600), (0.5, 1), (timedelta(milliseconds=1500), 2)]
)
def test_the_launch_pages_duration_is_stored_as_whole_seconds(given: Any, kept: int) -> None:
    operator = Link(task_id="t", notebook_instance_name="r", notifiers=Recorder(), launch_page_valid_for=given)
    assert operator.launch_page_valid_for == kept
    assert isinstance(operator.launch_page_valid_for, int)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"link": "url"}, r"link='url': must be 'presigned' or 'launch_page' or 'both'"),
        ({"link": None}, r"link=None: must be"),
        (
            {"launch_page_valid_for": 0},
            r"launch_page_valid_for=0: must be a timedelta, or a number of seconds, above 0",
        ),
        ({"launch_page_valid_for": timedelta(-1)}, r"launch_page_valid_for=.*: must be"),
        ({"launch_page_valid_for": "{{ params.days }}"}, r"launch_page_valid_for=.*: must be"),
    ],
)
def test_wrong_input_is_an_error_when_the_dag_is_parsed(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Link(task_id="t", notebook_instance_name="r", notifiers=Recorder(), **kwargs)
