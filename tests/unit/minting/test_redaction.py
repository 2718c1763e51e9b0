from __future__ import annotations

import base64
import html
import logging
import re
import sys
import textwrap
import threading
from email.message import EmailMessage
from email.policy import SMTP
from urllib.parse import quote, quote_plus

import pytest

from airflow_sagemaker_presign.compat import IS_AIRFLOW_2
from airflow_sagemaker_presign.minting.redaction import quoted_forms, redact, redacted
from tests.helpers.scripted_sagemaker import TOKEN, URL


@pytest.mark.parametrize(
    "text",
    [
        URL,
        TOKEN,
        quote(URL, safe=""),
        quote_plus(URL),
        html.escape(URL),
        quote(TOKEN, safe=""),
        URL.replace("/", "\\/"),
    ],
)
def test_a_known_url_is_lost_in_every_form(text: str) -> None:
    with redacted(URL):
        assert "secret" not in redact(f"see {text} now")
        assert redact(f"see {text} now").endswith(" now")


@pytest.mark.parametrize(
    "text",
    [
        "GET /?authToken=unknown.secret HTTP/1.1",
        '{"AuthorizedUrl":"https://x?authToken=unknown.secret"}',
        "https%3A%2F%2Fx%3FauthToken%3Dunknown.secret",
        '{"authToken": "unknown.secret"}',
    ],
)
def test_an_unregistered_token_is_redacted_by_its_name(text: str) -> None:
    assert "secret" not in redact(text)


LONG_TOKEN = "eyJhbGciOi-_" + "".join(f"q{number:03x}Zz" for number in range(500))
LONG_URL = f"https://research.notebook.eu-central-1.sagemaker.aws?authToken={LONG_TOKEN}&view=lab"


def as_mail(text: str, encoding: str) -> str:
    mail = EmailMessage(policy=SMTP)
    mail.set_content(text, cte=encoding)
    return mail.as_string()


def pieces_left(text: str) -> list[str]:
    """What of the long token is in a text, as it is and out of base64."""
    runs = re.findall(r"[A-Za-z0-9+/]{4,}", text)
    decoded = [base64.b64decode(run[at:][: (len(run) - at) // 4 * 4]) for run in runs for at in range(4)]
    everything = f"{text} {b' '.join(decoded).decode(errors='replace')}"
    return re.findall(r"q[0-9a-f]{3}Zzq[0-9a-f]{3}Zzq[0-9a-f]{3}Zz", everything)


@pytest.mark.parametrize(
    "written",
    [
        as_mail(f"Open {LONG_URL} soon", "quoted-printable"),
        repr(as_mail(f"Open {LONG_URL} soon", "quoted-printable").encode()),  # smtplib's set_debuglevel
        *(as_mail(f"{'.' * before}Open {LONG_URL}", "base64") for before in range(3)),
        "\n".join(textwrap.wrap(LONG_URL, 79)),
        "\n".join(f"│ {line} │" for line in textwrap.wrap(f"url = '{LONG_URL}'", 60)),  # rich's tables
        LONG_TOKEN[1000:1100],
        f"it was {LONG_URL[:700]}…",
        f"…{LONG_URL[700:]}",
    ],
    ids=["mail", "repr of a mail", "base64", "base64 + 1", "base64 + 2", "lines", "table", "amid", "begin", "end"],
)
def test_no_piece_of_a_long_token_is_left_where_it_is_cut_or_broken_over_lines(written: str) -> None:
    assert pieces_left(written)
    with redacted(LONG_URL):
        assert pieces_left(redact(written)) == []
    assert redact(LONG_TOKEN) == LONG_TOKEN


def test_text_that_is_no_part_of_a_token_is_unchanged() -> None:
    said = f"{__file__}:1 at 2026-11-28T04:16:05.912772+00:00 for {LONG_URL.partition('?')[0]} {'x' * 90} q001ZzqZz"
    with redacted(LONG_URL):
        assert redact(said) == said


def test_the_url_is_redacted_in_extra_attributes_of_a_log_record(caplog: pytest.LogCaptureFixture) -> None:
    kept = object()
    with redacted(URL):
        logging.getLogger("of.a.notifier").info("sent", extra={"link": URL, "answer": {"text": [URL]}, "kept": kept})
    logging.getLogger("of.a.notifier").info("later", extra={"link": URL})
    record, later = (vars(record) for record in caplog.records)
    assert "secret" not in str(record)
    assert (record["link"], record["answer"], record["kept"]) == ("***", {"text": ["***"]}, kept)
    assert later["link"] == URL


def test_a_url_printed_in_parts_is_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    with redacted(LONG_URL):
        sys.stdout.writelines(["see ", LONG_URL, "\n"])
        for at in range(0, len(LONG_URL), 100):
            sys.stdout.write(LONG_URL[at : at + 100])
    said = capsys.readouterr().out
    assert said.startswith("see ***")
    assert pieces_left(said) == []


def test_a_token_added_in_an_inner_block_stays_redacted_until_the_outer_block_ends() -> None:
    with redacted():
        with redacted() as redact_also:
            redact_also(URL)
        assert "secret" not in redact(f"a mint goes on with {TOKEN}")
    assert redact(TOKEN) == TOKEN


def test_a_token_held_by_another_thread_stays_redacted_after_this_threads_block() -> None:
    left_behind, over = threading.Event(), threading.Event()

    def hold() -> None:
        with redacted(URL):
            left_behind.set()
            over.wait(10)

    with redacted(URL):
        thread = threading.Thread(target=hold)
        thread.start()
        left_behind.wait(10)
    assert redact(TOKEN) == "***"
    over.set()
    thread.join()
    assert redact(TOKEN) == TOKEN


def test_a_url_within_something_that_is_logged_by_its_repr_is_lost() -> None:
    url = f"{URL}/with/slashes"
    with redacted(url):
        # As a supervisor logs a request that has all forms of it.
        assert "slashes" not in redact(repr([repr(sorted(quoted_forms(url)))]))


def test_text_without_a_url_stays_as_it_is() -> None:
    with redacted(URL):
        assert redact("Notebook instance research is InService.") == "Notebook instance research is InService."


def test_the_landing_page_is_no_secret() -> None:
    assert "lab" not in quoted_forms(f"{URL}&view=lab")


def test_nothing_is_remembered_and_nothing_stays_patched_after_the_block() -> None:
    before = (logging.getLogRecordFactory(), logging.root.manager.disable, sys.stdout, sys.stderr)
    with redacted(URL), redacted(URL):
        pass
    assert (logging.getLogRecordFactory(), logging.root.manager.disable, sys.stdout, sys.stderr) == before
    assert redact(TOKEN) == TOKEN


@pytest.mark.skipif(IS_AIRFLOW_2, reason="Airflow 2 does not use structlog")
def test_structlog_loggers_that_were_bound_before_lose_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    import structlog

    log = structlog.get_logger("airflow.task")
    log.info("before")
    with redacted(URL):
        log.info("sent %s", URL, url=URL, nested={"forms": [quote(URL, safe="")]})
        try:
            raise ValueError(URL)
        except ValueError:
            log.exception("trouble")
    captured = capsys.readouterr()
    assert "secret" not in captured.out + captured.err
    assert "***" in captured.out + captured.err


@pytest.mark.skipif(IS_AIRFLOW_2, reason="Airflow 2 does not use structlog")
def test_a_traceback_that_structlog_breaks_into_lines_loses_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    import structlog

    configured = structlog.get_config()
    structlog.reset_defaults()
    url = URL.replace("secret", "secret" * 40)
    try:
        with redacted(url):
            try:
                raise ValueError(url)
            except ValueError as error:
                structlog.get_logger().exception("trouble")
                structlog.get_logger().error("trouble", exc_info=error)
                structlog.get_logger().error("trouble", exc_info=(type(error), error, error.__traceback__))
    finally:
        structlog.configure(**configured)
    captured = capsys.readouterr()
    assert "secret" not in captured.out + captured.err
    assert captured.out.count("ValueError: ***") == 3
