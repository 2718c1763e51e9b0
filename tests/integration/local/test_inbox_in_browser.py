"""From the inbox into JupyterLab, in a real browser."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import boto3
import pytest

from airflow_sagemaker_presign.local import LocalServices

pytestmark = pytest.mark.browser


def test_a_mail_shows_up_by_itself_and_its_link_opens_jupyterlab_in_a_new_tab(browser: Any, tmp_path: Path) -> None:
    with LocalServices(folder=tmp_path) as local:
        page = browser.new_page()
        page.goto(local.inbox_url)
        page.get_by_text("No messages yet").wait_for()
        send_link(local)
        page.locator("article.mail").wait_for(timeout=5000)
        frame = page.frame_locator("iframe")
        assert frame.locator("body").inner_text().strip() == "Open it"
        with page.expect_popup() as opened:
            frame.get_by_role("link", name="Open it").click()
        opened.value.locator("#jp-top-panel").wait_for(timeout=30000)
        assert opened.value.url == f"{local.notebook_url('research')}/lab"
        assert opened.value.evaluate("document.referrer") == ""


def send_link(local: LocalServices) -> None:
    local.sagemaker.set_status("research", "InService")
    session = boto3.Session("local", "local", region_name="us-east-1")
    client = session.client("sagemaker", endpoint_url=local.endpoint_url)
    url = client.create_presigned_notebook_instance_url(NotebookInstanceName="research")["AuthorizedUrl"]
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "Ready", "airflow@example.com", "ada@example.com"
    mail.set_content(url)
    script = "<script>document.body.textContent = 'a script ran'</script>"
    mail.add_alternative(f'<a href="{url}">Open it</a>{script}', subtype="html")
    with smtplib.SMTP("127.0.0.1", local.smtp_port) as server:
        server.send_message(mail)
