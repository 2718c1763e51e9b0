"""No URL of a delivery is in a log, an error or a console."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_sagemaker_presign.delivery.attempts import Delivery, DeliveryPolicy
from airflow_sagemaker_presign.exceptions import (
    LinkDeliveryError,
)
from airflow_sagemaker_presign.minting.presigned_url import PresignedUrl
from airflow_sagemaker_presign.minting.redaction import redacted
from tests.helpers.notifiers import Recorder, fail
from tests.helpers.scripted_sagemaker import TOKEN

Send = Callable[..., list[Delivery]]


def test_the_url_is_redacted_in_logs_after_the_mints_response(
    send: Send, mints: Callable[[], PresignedUrl], caplog: pytest.LogCaptureFixture
) -> None:
    def mint() -> PresignedUrl:
        presigned_url = mints()
        with redacted(presigned_url.url):
            pass  # What reads AWS's answer knows the URL, and has its own redaction...
        # ... and what Airflow's own calls log between that and the send, at DEBUG in a process that only looks so.
        logging.getLogger("somebodys.supervisor").warning("Sending request %r", [presigned_url.url])
        return presigned_url

    with caplog.at_level(logging.DEBUG):
        send(Recorder(), mint=mint)
    assert "Sending request" in caplog.text
    assert TOKEN not in caplog.text


def test_the_url_is_not_in_a_notifiers_output(
    send: Send, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    class Chatty(Recorder):
        def notify(self, context: Any) -> None:
            print("sending", self.text)
            logging.getLogger("somebodys.client").debug("request %s", self.text)
            logging.getLogger("somebodys.client").info("request %s", {"url": self.text})
            try:
                raise ValueError(f"cannot send {self.text}")
            except ValueError:
                logging.getLogger("somebodys.client").exception("trouble")
                self.log.warning("trouble with %s", self.text)
                raise

    with caplog.at_level(logging.DEBUG), pytest.raises(LinkDeliveryError) as raised:
        send(Chatty())
    captured = capsys.readouterr()
    everything = caplog.text + captured.out + captured.err + str(raised.value) + repr(raised.value.failures)
    assert "sending ***" in captured.out
    assert "cannot send ***" in everything
    assert TOKEN not in everything
    assert "secret" not in everything


@pytest.mark.parametrize("before", range(0, 600, 25))
def test_an_error_that_is_cut_short_keeps_no_half_of_the_token(send: Send, before: int) -> None:
    mail = Recorder()
    mail.plan = [lambda: fail(OSError("x" * before + f"{TOKEN}1"))()]
    with pytest.raises(LinkDeliveryError) as raised:
        send(mail, policy=DeliveryPolicy(timedelta(minutes=4), attempts=1, require="all"))
    assert TOKEN[:6] not in str(raised.value)
