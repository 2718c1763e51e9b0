"""The notifiers' checks before the notebook instance is started."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import StrictUndefined

from airflow_sagemaker_presign.compat import DAG, BaseOperator
from airflow_sagemaker_presign.delivery.send_errors import SendFailed
from airflow_sagemaker_presign.notifications.base import NotebookUrlNotifier
from airflow_sagemaker_presign.notifications.connection_checks import check_slack_connection, check_smtp_connection
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.notifications.rendering import as_text
from airflow_sagemaker_presign.notifications.slack import NotebookUrlSlackNotifier
from airflow_sagemaker_presign.notifications.slack_recipients import slack_channel_of, slack_user_of

SECRET = "sécret"


@pytest.fixture
def context() -> dict[str, Any]:
    return {"dag": None, "recipient": "ada@example.com", "params": {"nothing": None}, "ti": None}


@pytest.fixture(autouse=True)
def no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """No service is called here; see the integration tests."""
    for notifier in (NotebookUrlSlackNotifier, NotebookUrlSmtpNotifier):
        monkeypatch.setattr(notifier, "check_service", lambda _: None)


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set one of Airflow's connections, starting from a valid one."""

    def connection(kind: str, extra: dict[str, Any] | None = None, **fields: Any) -> None:
        all_fine: dict[str, dict[str, Any]] = {
            "smtp": {"host": "smtp.example.com", "extra": {"from_email": "nb@example.com"}},
            "slack": {"password": "xoxb-1"},
        }
        fine = all_fine[kind]
        name = {"smtp": "SMTP_DEFAULT", "slack": "SLACK_API_DEFAULT"}[kind]
        value = {"conn_type": kind, **fine, **fields}
        value["extra"] = {**fine.get("extra", {}), **(extra or {})}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(value))

    connection("smtp")
    connection("slack")
    return connection


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"host": None}, "has no host"),
        ({"host": " "}, "has no host"),
        ({"host": "smtp://smtp.example.com"}, "name alone"),
        ({"port": 70000}, "has the port 70000"),
        ({"login": "nb", "password": SECRET}, "non-ASCII letters in its password"),
        ({"login": "jürgen", "password": "x"}, "non-ASCII letters in its login"),
        ({"login": "jürgen", "extra": {"auth_type": "oauth2"}}, "non-ASCII letters in its login"),
        ({"extra": {"timeout": "soon"}}, "has timeout='soon' in its extra"),
        ({"extra": {"timeout": 0}}, "has timeout=0 in its extra"),
        ({"extra": {"retry_limit": -1}}, "has retry_limit=-1 in its extra"),
        ({"extra": {"ssl_context": "off"}}, "has ssl_context='off' in its extra"),
        ({"extra": {"timeout": float("inf")}}, "has timeout=inf in its extra"),
        ({"host": "smtp..example.com"}, "name alone"),
        ({"host": "a" * 64 + ".example.com"}, "name alone"),
    ],
)
def test_a_mail_connection_that_cannot_send_is_an_error_with_its_name(
    connection: Any, context: dict[str, Any], fields: dict[str, Any], text: str
) -> None:
    connection("smtp", **fields)
    with pytest.raises(SendFailed, match=r"^The Airflow connection 'smtp_default' ") as raised:
        NotebookUrlSmtpNotifier().prepare(context)
    assert text in str(raised.value)
    assert SECRET not in str(raised.value)


def test_a_retry_limit_of_0_is_an_error_only_with_a_mail_provider_that_makes_no_attempt_then(
    connection: Any, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection("smtp", extra={"retry_limit": 0})
    for version, fine in (("2.1.0", False), ("3.0.1", False), ("3.0.2", True), ("3.10.0rc1", True)):
        monkeypatch.setattr("importlib.metadata.version", lambda _, version=version: version)
        if fine:
            NotebookUrlSmtpNotifier().prepare(context)
            continue
        with pytest.raises(SendFailed, match=r"has retry_limit=0 in its extra.*1 or more"):
            NotebookUrlSmtpNotifier().prepare(context)


@pytest.mark.parametrize("sender", [None, "", "nobody"])
def test_a_mail_without_a_sender_is_refused_unless_the_notifier_has_one(
    connection: Any, context: dict[str, Any], sender: str | None
) -> None:
    connection("smtp", extra={"from_email": sender})
    with pytest.raises(ValueError, match=r"^from_email \(of the notifier, or in the extra of the connection\)="):
        NotebookUrlSmtpNotifier().prepare(context)
    NotebookUrlSmtpNotifier(from_email="{{ recipient }}").prepare(context)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"host": "smtp.example.com:587"},
        {"port": 587, "login": "nb", "password": "x!~"},
        {"login": "jürgen"},
        {"extra": {"timeout": "20", "retry_limit": "1", "ssl_context": "none"}},
    ],
)
def test_a_mail_connection_that_can_send_is_fine(
    connection: Any, context: dict[str, Any], fields: dict[str, Any]
) -> None:
    connection("smtp", **fields)
    notifier = NotebookUrlSmtpNotifier(cc="{{ recipient }}", subject="{{ recipient }}")
    notifier.prepare(context)
    assert notifier.cc == "{{ recipient }}", "it is checked, not rendered"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"password": None}, "has no token"),
        ({"password": " "}, "has no token"),
        ({"password": "https://hooks.slack.com/services/T0/B0/x"}, "holds an incoming webhook"),
        ({"password": "T012AB3CD/B012AB3CD/abcdefABCDEF"}, "holds an incoming webhook"),
        ({"password": "xoxb-1", "host": "https://hooks.slack.com/services"}, "holds an incoming webhook"),
        ({"password": "xoxb-1\n"}, "Copy the token again"),
        ({"password": f"xoxb-{SECRET}"}, "Copy the token again"),
        ({"password": "xapp-1-A0"}, "app-level token"),
        ({"password": "xoxe-1-refresh"}, "not a Slack token that can post"),
        ({"password": "0123456789abcdef0123456789abcdef"}, "not a Slack token that can post"),
        ({"extra": {"timeout": "soon"}}, "has timeout='soon' in its extra"),
        ({"extra": {"base_url": "slack.example.com/api/"}}, "has a base_url in its extra that is not a URL"),
        ({"extra": {"base_url": "ftp://slack.example.com/"}}, "has a base_url in its extra that is not a URL"),
        ({"extra": {"base_url": "https://slack.example.com/é/"}}, "has a base_url in its extra that is not a URL"),
        ({"extra": {"base_url": "https://slack example.com/"}}, "has a base_url in its extra that is not a URL"),
        ({"extra": {"proxy": "http://proxy.example.com:abc"}}, "has a proxy in its extra that is not a URL"),
        ({"extra": {"proxy": 3128}}, "has a proxy in its extra that is not a URL"),
    ],
)
def test_a_slack_connection_that_cannot_post_is_an_error_with_its_name(
    connection: Any, context: dict[str, Any], fields: dict[str, Any], text: str
) -> None:
    connection("slack", **fields)
    with pytest.raises(SendFailed, match=r"^The Airflow connection 'slack_api_default' ") as raised:
        NotebookUrlSlackNotifier(user="{{ recipient }}").prepare(context)
    assert text in str(raised.value)
    token = (fields.get("password") or "").strip()
    assert not token or token not in str(raised.value)


@pytest.mark.parametrize("check", [check_smtp_connection, check_slack_connection])
@pytest.mark.parametrize(
    ("extra", "text"),
    [
        ("[1]", "its extra is a JSON list, and must be an object"),
        ("null", "its extra is a JSON NoneType, and must be an object"),
        ('"from_email"', "its extra is a JSON str, and must be an object"),
        ("from_email=nb@example.com", "its extra is not JSON"),
    ],
)
def test_an_extra_that_is_no_json_object_is_an_error_with_the_connections_id(check: Any, extra: str, text: str) -> None:
    # Some versions of Airflow refuse it themselves, where the connection comes out of the environment.
    connection = SimpleNamespace(
        host="mail.example.com", port=None, login=None, password="xoxb-1", extra=extra, extra_dejson=None
    )
    with pytest.raises(SendFailed, match=rf"^The Airflow connection 'c' cannot be read: {text}"):
        check("c", connection)


@pytest.mark.parametrize(
    "extra",
    [
        {"base_url": "https://slack.example.com/api/", "proxy": "http://user:pässword@proxy.example.com:3128"},
        {"base_url": "http://localhost:8080", "proxy": "proxy.example.com:3128"},
        {"base_url": None, "proxy": ""},
    ],
)
def test_addresses_that_the_slack_client_can_call_are_fine(
    connection: Any, context: dict[str, Any], extra: dict[str, Any]
) -> None:
    connection("slack", extra=extra)
    notifier = NotebookUrlSlackNotifier(user="{{ recipient }}")
    notifier.prepare(context)
    assert notifier.user == "{{ recipient }}", "it is checked, not rendered"


def test_what_a_stop_warning_says_is_left_until_there_is_one(connection: Any, context: dict[str, Any]) -> None:
    dag = DAG("strict", schedule=None, template_undefined=StrictUndefined)
    later = "{{ stop_warning.stops_at }} {{ notebook_instance.InstanceType }} {{ launch_url }}"
    notifier = NotebookUrlSmtpNotifier(subject=later, note="{{ workspace_description.InstanceType }}")
    notifier.prepare({**context, "dag": dag})
    assert notifier.subject == later
    with pytest.raises(ValueError, match=r"^note='{{ nothing_like_it }}' of .* cannot be rendered"):
        NotebookUrlSmtpNotifier(note="{{ nothing_like_it }}").prepare({**context, "dag": dag})


def test_another_tasks_output_can_be_the_recipients_of_a_mail() -> None:
    class Output(BaseOperator):
        def execute(self, context: Any) -> None: ...

    with DAG("a", schedule=None):
        output = Output(task_id="people").output
    everybody: Any = output
    notifier = NotebookUrlSmtpNotifier(to=everybody, cc=everybody, from_email=everybody)
    assert (notifier.to, notifier.cc, notifier.from_email) == (output, output, output)


@pytest.mark.parametrize("token", ["xoxb-1-2-abc", "xoxp-1", "xoxe.xoxb-1-abc", "xoxe.xoxp-1-abc"])
def test_tokens_that_can_post_are_fine(connection: Any, context: dict[str, Any], token: str) -> None:
    connection("slack", password=token)
    notifier = NotebookUrlSlackNotifier(user="{{ recipient }}")
    notifier.prepare(context)
    assert notifier.user == "{{ recipient }}", "it is checked, not rendered"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("U012AB3CD", "U012AB3CD"),
        (" W012AB3CD ", "W012AB3CD"),
        ("<@U012AB3CD>", "U012AB3CD"),
        ("<@U012AB3CD|ada>", "U012AB3CD"),
        ("https://acme.slack.com/team/U012AB3CD", "U012AB3CD"),
        ("ada@example.com", "ada@example.com"),
        ("mailto:ada@example.com", "ada@example.com"),
        ("MAILTO:ada@example.com?subject=Hi", "ada@example.com"),
        ("<mailto:ada@example.com|ada@example.com>", "ada@example.com"),
        ("<mailto:ada@example.com>", "ada@example.com"),
        ("<ada@example.com>", "ada@example.com"),
        ("Ada <ada@example.com>", "ada@example.com"),
        ("ada@example.com,", "ada@example.com"),
    ],
)
def test_a_person_is_read_as_people_paste_one(written: str, read: str) -> None:
    assert slack_user_of(written) == read
    assert NotebookUrlSlackNotifier(user=written).user == read


@pytest.mark.parametrize(
    "written",
    [
        "@ada", "ada", "", "None", None, 7, "U012AB3CD W012AB3CD", "<@U012AB3CD> <@U2BOB>", "<#C012AB3CD|a>",
        "ada@example.com, bob@example.com", "ada@example.com bob@example.com", "ada@example.com;bob@example.com",
        "<!subteam^S012AB3CD|@team>", "'ada@example.com'", "<!channel>", "u012ab3cd", "#research", "ada@",
        "ada\n@example.com", "https://acme.slack.com/archives/C012AB3CD",
    ],
)  # fmt: skip
def test_a_user_that_names_no_person_or_several_is_an_error(written: Any) -> None:
    with pytest.raises(ValueError, match=r"^user=.*: must be an e-mail address, or a Slack user id"):
        slack_user_of(written)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("#research", "#research"),
        ("research", "research"),
        ("#größe-2_x", "#größe-2_x"),
        ("C012AB3CD", "C012AB3CD"),
        ("#C012AB3CD", "C012AB3CD"),
        ("<#C012AB3CD|research>", "C012AB3CD"),
        ("<#C012AB3CD>", "C012AB3CD"),
        ("<#C012AB3CD|>", "C012AB3CD"),
        ("https://acme.slack.com/archives/C012AB3CD", "C012AB3CD"),
        ("https://acme.slack.com/archives/C012AB3CD/p1700000000000000", "C012AB3CD"),
        (2026, "2026"),
    ],
)
def test_a_channel_is_read_as_people_paste_one(written: Any, read: str) -> None:
    assert slack_channel_of(written) == read


@pytest.mark.parametrize(
    "written",
    [
        "",
        "None",
        None,
        "#a #b",
        "#a,#b",
        "ada@example.com",
        "@ada",
        "<@U012AB3CD>",
        "<!channel>",
        "#",
        "[]",
        "{}",
        "#a|b",
        "#a&b",
        "~a",
        "a\nb",
        "x" * 81,
    ],
)
def test_a_channel_that_is_none_or_several_is_an_error(written: Any) -> None:
    with pytest.raises(ValueError, match=r"^channel=.*: must be a channel's name such as") as raised:
        slack_channel_of(written)
    assert ("the parameter user" in str(raised.value)) == ("@" in str(written))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: NotebookUrlSlackNotifier(user="{{ recipient }}", note="{{ nope.x }}"), r"^note=.* UndefinedError"),
        (lambda: NotebookUrlSlackNotifier(user="{{ recipient }}", note="{{ recipient "), r"^note=.* TemplateSyntax"),
        (lambda: NotebookUrlSlackNotifier(user="{{ recipient | nope }}"), r"^user=.* TemplateAssertionError"),
        (lambda: NotebookUrlSmtpNotifier(subject="{{ presigned_url.expires_at | }}"), r"^subject=.* TemplateSyntax"),
        (lambda: NotebookUrlSmtpNotifier(subject="{{ 1 // 0 }}"), r"^subject=.* ZeroDivisionError"),
        (lambda: NotebookUrlSmtpNotifier(timezone="Mars/{{ 'Base' }}"), "^timezone='Mars/Base': must be"),
        (lambda: NotebookUrlSmtpNotifier(cc="{{ params.nothing }}"), "^cc='None': must be"),
        (lambda: NotebookUrlSmtpNotifier(cc="bob{{ '' }}"), "^cc='bob': must be"),
        (lambda: NotebookUrlSmtpNotifier(from_email="bob{{ '' }}"), "^from_email='bob': must be"),
        (lambda: NotebookUrlSmtpNotifier(to="{{ params.nothing }}"), "^to='None': must be"),
    ],
)
def test_a_template_that_cannot_work_is_an_error_before_the_start(
    connection: Any, context: dict[str, Any], make: Any, text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        make().prepare(context)


def test_templates_that_use_the_link_or_the_description_are_not_checked_and_the_others_are(
    connection: Any, context: dict[str, Any]
) -> None:
    later = "{{ notebook_instance.Tags[0] }}@example.com"
    note = "{% if presigned_url is defined %}{{ presigned_url.expires_at }}{% endif %}"
    notifier = NotebookUrlSmtpNotifier(to=["bob@example.com", later], from_email=later, subject=later, note=note)
    notifier.prepare(context)
    assert notifier.to == ["bob@example.com", later]

    connection("smtp", host=None)
    with pytest.raises(SendFailed, match="has no host"):
        notifier.prepare(context)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("{{ 0 }}", "0"), ("{{ 2026 }}", "2026"), ("1e5", "1e5"), ("{{ '1e5' }}", "1e5"), ("{{ '007' }}", "007"),
        ("{{ [1, 2] }}", "[1, 2]"), ("{{ {'a': 1} }}", "{'a': 1}"), ("{{ none }}", ""), ("{{ '' }}", ""), ("", ""),
        ("{{ true }}", "True"), ("{{ 1.50 }}", "1.5"), ("None", "None"), ("0", "0"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("native", [True, False])
def test_a_text_stays_a_text_whatever_it_renders_to(
    link_context: dict[str, Any], written: str, sent: str, native: bool
) -> None:
    messages: list[Any] = []

    class Recorder(NotebookUrlNotifier):
        def send_link(self, message: Any) -> None:
            messages.append(message)

        def send_failure(self, message: Any) -> None: ...
        def check_recipient(self) -> None: ...
        def load_provider(self) -> None: ...

    link_context["dag"] = DAG("a", schedule=None, render_template_as_native_obj=native)
    Recorder(note=written, timezone="UTC")(link_context)
    assert messages[0].note == sent


@pytest.mark.parametrize(
    ("output", "text"), [(0, "0"), (7, "7"), (1.5, "1.5"), (["a"], "['a']"), (None, ""), (" a ", "a"), (False, "False")]
)
def test_another_tasks_output_as_a_note_or_subject_is_shown_unchanged(output: object, text: str) -> None:
    assert as_text(output) == text


def test_a_list_of_recipients_may_be_rendered_where_native_objects_are(
    connection: Any, context: dict[str, Any]
) -> None:
    context["dag"] = DAG("a", schedule=None, render_template_as_native_obj=True)
    context["people"] = ["ada@example.com", "bob@example.com"]
    NotebookUrlSmtpNotifier(to="{{ people }}", cc="{{ people }}").prepare(context)
    nobodies: list[object] = [0, 7, [], None, True]
    for nobody in nobodies:
        with pytest.raises(ValueError, match=r"^to=.*: must be an e-mail address"):
            NotebookUrlSmtpNotifier(to="{{ people }}").prepare({**context, "people": nobody})
    with pytest.raises(ValueError, match=r"^cc='?0'?: must be"):
        NotebookUrlSmtpNotifier(cc="{{ 0 }}").prepare(context)
    with pytest.raises(ValueError, match=r"^user=\"\['ada@example.com', 'bob@example.com'\]\": must be"):
        NotebookUrlSlackNotifier(user="{{ people }}").prepare(context)
