"""If a link cannot be delivered, the run fails, reachable recipients are notified, and the notebook is cleaned up."""

from __future__ import annotations

from airflow_sagemaker_presign.local import LocalServices
from tests.helpers.airflow_api import Run
from tests.helpers.messages import mail_to, mails_to, slack_to, urls_in
from tests.helpers.system_settings import REGION

STOPPED_AGAIN = {"notebook_link": "failed", "stop_if_failed": "success", "delivered": "upstream_failed"}
LEFT_ALONE = {**STOPPED_AGAIN, "stop_if_failed": "skipped"}


def test_a_notebook_started_for_a_link_that_slack_does_not_take_is_stopped_again(
    without_slack: dict[str, Run], local: LocalServices
) -> None:
    assert without_slack["started in run"].end() == "failed"
    assert without_slack["started in run"].states() == STOPPED_AGAIN
    assert local.sagemaker.status("started-in-run", REGION) == "Stopped"


def test_a_notebook_that_ran_before_the_run_is_not_stopped(without_slack: dict[str, Run], local: LocalServices) -> None:
    assert without_slack["ran before"].end() == "failed"
    assert without_slack["ran before"].states() == LEFT_ALONE
    assert local.sagemaker.status("ran-before", REGION) == "InService"


def test_the_message_names_recipients_that_were_not_reached(
    without_slack: dict[str, Run], local: LocalServices
) -> None:
    without_slack["started in run"].end()
    link, failure = mails_to(local, "started-in-run@example.com")
    assert len(urls_in(link)) == 1
    assert failure.subject == "Not everybody got the link to notebook started-in-run"
    assert "NotebookUrlSlackNotifier to started-in-run@example.com" in failure.text
    assert "Delivered by: NotebookUrlSmtpNotifier to started-in-run@example.com" in failure.text
    assert urls_in(failure) == []
    assert slack_to(local, "started-in-run@example.com") == []


def test_a_morning_without_slack_fails_and_stops_its_notebook_again(
    morning_without_slack: Run, local: LocalServices
) -> None:
    assert morning_without_slack.end() == "failed"
    assert morning_without_slack.states() == STOPPED_AGAIN
    assert local.sagemaker.status("research", REGION) == "Stopped"


def test_a_link_after_training_that_the_mail_server_refuses_is_tried_thrice_then_explained(
    unsent_by_mail: Run, local: LocalServices
) -> None:
    assert unsent_by_mail.end() == "failed"
    assert unsent_by_mail.states() == {"train": "success", **STOPPED_AGAIN}
    assert local.sagemaker.status("research", REGION) == "Stopped"
    mail = mail_to(local, "unsent@example.com")
    assert mail.subject == "No link to notebook research"
    assert "550 5.1.1 Recipient address rejected" in mail.text
    assert urls_in(mail) == []
    assert "did not deliver in time, after 3 attempt(s)" in unsent_by_mail.log()
