"""The launch page with Flask-AppBuilder's users: roles, names and addresses, the public role, login and logout."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone
from tests.helpers.airflow_api import Run
from tests.helpers.fab_api_server import PASSWORD, FabApiServer, Person
from tests.helpers.launch_page_client import BROWSER, MINT, OURS, LaunchPageClient, leads_to_notebook
from tests.helpers.system_settings import Start

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("airflow.providers.fab") is None, reason="needs apache-airflow-providers-fab"
)

PEOPLE = [
    Person("admin", "admin@example.com", "Admin"),
    Person("ed", "ed@example.com", "User"),
    Person("vera", "vera@example.com", "Viewer"),
    Person("zoe", "Zoe@Example.com", "Viewer"),
    Person("berta", "boss@example.com", "Viewer"),
    # A user name may equal another user's address.
    Person("boss@example.com", "eve@evil.example", "Admin"),
    Person("zoe@example.com", "eve@other.example", "Admin"),
    Person("stranger", "stranger@example.com", "Public"),
]


@pytest.fixture(scope="module")
def fab(airflow: AirflowStandalone) -> Iterator[FabApiServer]:
    server = FabApiServer(airflow, "fab")
    server.add(PEOPLE)
    with server.running():
        yield server


@pytest.fixture(scope="module")
def open_to_the_public(fab: FabApiServer, airflow: AirflowStandalone) -> Iterator[FabApiServer]:
    with FabApiServer(airflow, "fab-public", AIRFLOW__FAB__AUTH_ROLE_PUBLIC="Admin").running() as server:
        yield server


@pytest.fixture(scope="module")
def run(start: Start) -> Run:
    run = start("launch_pages")
    assert run.end() == "success", run.states()
    return run


@pytest.fixture(scope="module")
def launch_page(airflow: AirflowStandalone, local: LocalServices, fab: FabApiServer) -> LaunchPageClient:
    tokens = {person.user_name: fab.token(person.user_name) for person in PEOPLE}
    return LaunchPageClient(airflow, local, tokens, fab.url)


@pytest.fixture(autouse=True)
def sent(launch_page: LaunchPageClient) -> Iterator[Counter[Any]]:
    """The mints and starts that a test is to have caused; all others fail it."""
    with launch_page.expecting() as expected:
        yield expected


@pytest.mark.parametrize("by", ["cookie", "bearer"])
@pytest.mark.parametrize(
    ("task_id", "user", "status"),
    [
        ("editors", "admin", 200),
        ("editors", "ed", 200),
        ("editors", "vera", 403),
        ("editors", "stranger", 403),
        ("named", "vera", 200),
        ("named", "zoe", 200),
        ("named", "ed", 403),
        ("named", "admin", 403),
        ("named", "zoe@example.com", 403),
        ("named", "stranger", 403),
        ("for-the-boss", "berta", 200),
        ("for-the-boss", "boss@example.com", 403),
        ("for-the-boss", "admin", 403),
    ],
)
def test_only_permitted_users_open_the_page(
    launch_page: LaunchPageClient, run: Run, by: str, task_id: str, user: str, status: int, sent: Counter[Any]
) -> None:
    path = launch_page.path(run, task_id)
    page = launch_page.ask("GET", path, user, by=by)
    assert page.status_code == status
    token = launch_page.form_token(path, user, by) or launch_page.form_token(launch_page.path(run, "editors"), "admin")
    answer = launch_page.press("open", path, user, by=by, token=token)
    event, owner, said = launch_page.audit(task_id)[-1]
    assert owner == user
    if status == 200:
        sent[MINT, "launch-editors" if task_id == "editors" else "launch-named"] += 1
        assert f"Signed in as <b>{user}</b>" in page.text
        assert leads_to_notebook(answer)
        assert event == "open_sagemaker_notebook_instance"
        assert said["address"] == "127.0.0.1"
    else:
        assert answer.status_code == 403
        assert event == "open_sagemaker_notebook_instance_refused"


def test_a_denied_user_sees_which_address_is_compared(launch_page: LaunchPageClient, run: Run) -> None:
    page = launch_page.ask("GET", launch_page.path(run, "for-the-boss"), "boss@example.com").text
    assert "boss@example.com (eve@evil.example)" in page


def test_through_the_login_and_back_and_out_again(
    launch_page: LaunchPageClient, run: Run, fab: FabApiServer, sent: Counter[Any]
) -> None:
    path = launch_page.path(run, "named")
    with httpx.Client(base_url=fab.url, headers=BROWSER, follow_redirects=True, timeout=60, trust_env=False) as browser:
        login = browser.get(path)
        assert login.url.path.startswith("/auth/login")
        page = _log_in(browser, login, "vera")
        assert page.url.raw_path.decode() == path
        assert "Signed in as <b>vera</b>" in page.text
        form = {"action": "open", "token": _hidden(page, "token")}
        sent[MINT, "launch-named"] += 1
        assert leads_to_notebook(browser.post(path, data=form, headers=OURS, follow_redirects=False))

        browser.get("/api/v2/auth/logout")
        assert "_token" not in browser.cookies
        after = browser.get(path)
        assert after.url.path.startswith("/auth/login")
        assert browser.post(path, data=form, headers=OURS).status_code == 401


def test_an_anonymous_user_cannot_mint_even_if_the_public_has_a_role(
    launch_page: LaunchPageClient, run: Run, open_to_the_public: FabApiServer, sent: Counter[Any]
) -> None:
    public = LaunchPageClient(launch_page.airflow, launch_page.local, launch_page.tokens, open_to_the_public.url)
    path, audited = launch_page.path(run, "editors"), launch_page.audit("editors")
    # What Airflow itself shows to the public.
    assert public.ask("GET", "/api/v2/dags/launch_pages").status_code == 200
    for method in ("GET", "HEAD"):
        answer = public.ask(method, path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/api/v2/auth/login?next=%2Fsagemaker-notebooks%2F")
    assert public.ask("GET", path, headers={"Accept": "*/*"}).status_code == 401
    token = public.form_token(path, "ed")
    for action in ("open", "start"):
        form = {"action": action, "token": token}
        assert public.ask("POST", path, headers=OURS, data=form).status_code == 401
    assert launch_page.audit("editors") == audited
    sent[MINT, "launch-editors"] += 1
    assert leads_to_notebook(public.press("open", path, "ed", token=token))


def test_the_public_finds_the_login_and_comes_back(
    launch_page: LaunchPageClient, run: Run, open_to_the_public: FabApiServer
) -> None:
    path = launch_page.path(run, "named")
    with httpx.Client(
        base_url=open_to_the_public.url, headers=BROWSER, follow_redirects=True, timeout=60, trust_env=False
    ) as browser:
        page = _log_in(browser, browser.get(path), "vera")
        assert page.url.raw_path.decode() == path
        assert "Signed in as <b>vera</b>" in page.text


def _log_in(browser: httpx.Client, login: httpx.Response, user_name: str) -> httpx.Response:
    """Fill in the form of the login's page."""
    form = {"username": user_name, "password": PASSWORD, "csrf_token": _hidden(login, "csrf_token")}
    found = re.search(r'<form[^>]*action="([^"]*)"', login.text)
    target = urljoin(str(login.url), found[1] if found else "") or str(login.url)
    return browser.post(target, data=form)


def _hidden(page: httpx.Response, name: str) -> str:
    found = re.search(rf'name="{name}"[^>]*value="([^"]+)"', page.text)
    assert found, page.text[:2000]
    return found[1]
