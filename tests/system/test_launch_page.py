"""Who gets through the launch page, and who does not; with cookie and bearer token, on a real Airflow."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import pytest

from airflow_sagemaker_presign.compat import HAS_LAUNCH_PAGE
from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone
from airflow_sagemaker_presign.usage.stop_warning import KEEP_KEY
from tests.helpers.airflow_api import Run
from tests.helpers.launch_page_client import MINT, OURS, START, LaunchPageClient, leads_to_notebook
from tests.helpers.system_settings import JWT_SECRET, REGION, Start
from tests.helpers.until import until

pytestmark = pytest.mark.skipif(not HAS_LAUNCH_PAGE, reason="there is no launch page before Airflow 3.1.1")

BY = ("cookie", "bearer")
FOREIGN: tuple[dict[str, str], ...] = (
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "same-site", "Origin": "https://other.example.com"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Referer": "https://evil.example/"},
    {},
)


@pytest.fixture(scope="module")
def run(start: Start, local: LocalServices) -> Run:
    run = start("launch_pages")
    assert run.end() == "success", run.states()
    return run


@pytest.fixture(scope="module")
def launch_page(airflow: AirflowStandalone, local: LocalServices, run: Run) -> LaunchPageClient:
    launch_page = LaunchPageClient(airflow, local, {user: airflow.token(user) for user in airflow.passwords})
    here = "dag_id = 'launch_pages' AND run_id = ? AND task_id = ?"
    long_ago = "UPDATE task_instance SET start_date = datetime('now', '-2 hours') WHERE " + here
    launch_page.database(long_ago, run.run_id, "old")
    launch_page.database("DELETE FROM rendered_task_instance_fields WHERE " + here, run.run_id, "pruned")
    fields: dict[str, dict[str, Any]] = {
        "cut": {"allowed_users": "Truncated. You can change this behaviour in …"},
        "missing": {"aws_conn_id": "aws_missing"},
        "own": {"aws_conn_id": None},
        "dead": {"aws_conn_id": "aws_dead"},
        "odd-region": {"region_name": "eu west 1"},
    }
    for task_id, odd in fields.items():
        launch_page.render(run, task_id, **{**launch_page.rendered(run, task_id), **odd})
    return launch_page


@pytest.fixture(autouse=True)
def sent(launch_page: LaunchPageClient) -> Iterator[Counter[Any]]:
    """The mints and starts that a test is to have caused; all others fail it."""
    with launch_page.expecting() as expected:
        yield expected


def token_that_ended(token: str) -> str:
    """The same token, of yesterday."""
    head, payload, _ = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    yesterday = {**claims, "iat": time.time() - 172800, "nbf": time.time() - 172800, "exp": time.time() - 86400}
    signed = f"{head}.{_base64(json.dumps(yesterday).encode())}"
    return f"{signed}.{_base64(hmac.new(JWT_SECRET.encode(), signed.encode(), hashlib.sha512).digest())}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize(
    ("task_id", "user", "status"),
    [
        ("editors", "admin", 200),
        ("editors", "ed", 200),
        ("editors", "vera", 403),
        ("named", "vera", 200),
        ("named", "zoe@example.com", 200),
        ("named", "ed", 403),
        ("named", "admin", 403),
        ("old", "admin", 410),
        ("pruned", "admin", 410),
        ("cut", "vera", 500),
        ("cut", "admin", 500),
        ("missing", "admin", 502),
        ("own", "admin", 502),
        ("odd-region", "admin", 502),
        ("stop", "admin", 404),
        ("no-such-task", "admin", 404),
        ("mapped", "admin", 404),
    ],
)
def test_only_permitted_users_open_the_page(
    launch_page: LaunchPageClient, run: Run, by: str, task_id: str, user: str, status: int, sent: Counter[Any]
) -> None:
    path = launch_page.path(run, task_id)
    assert launch_page.ask("GET", path, user, by=by).status_code == status
    head = launch_page.ask("HEAD", path, user, by=by)
    assert (head.status_code, head.content) == (status, b"")
    # A token of another page, in case this one has none: what counts is who asks for what.
    token = launch_page.form_token(path, user, by) or launch_page.form_token(launch_page.path(run, "editors"), "admin")
    answer = launch_page.press("open", path, user, by=by, token=token)
    if status == 200:
        sent[MINT, f"launch-{task_id}"] += 1
        assert leads_to_notebook(answer)
    elif status == 502:
        # Back to the page, which says it.
        assert answer.headers["location"] == path
    else:
        assert answer.status_code == status
    assert "authToken" not in answer.text


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("prefetch", [{}, {"Purpose": "prefetch", "Sec-Purpose": "prefetch;prerender"}])
def test_an_anonymous_user_is_redirected_to_the_login_and_back(
    launch_page: LaunchPageClient, run: Run, method: str, prefetch: dict[str, str]
) -> None:
    path = launch_page.path(run, "editors")
    answer = launch_page.ask(method, path, headers={"Host": "evil.example", **prefetch})
    assert answer.status_code == 303
    login, _, back = answer.headers["location"].partition("?next=")
    assert login == "/api/v2/auth/login"
    assert back == path.replace("%", "%25").replace("/", "%2F")


@pytest.mark.parametrize("prefetch", [{}, {"Purpose": "prefetch"}, {"Sec-Purpose": "prefetch"}])
def test_viewing_the_page_mints_nothing(launch_page: LaunchPageClient, run: Run, prefetch: dict[str, str]) -> None:
    for _ in range(3):
        assert launch_page.ask("GET", launch_page.path(run, "editors"), "ed", headers=prefetch).status_code == 200


def test_a_user_unknown_to_airflow_is_redirected_to_the_login(launch_page: LaunchPageClient, run: Run) -> None:
    path = launch_page.path(run, "editors")
    ended = token_that_ended(launch_page.tokens["admin"])
    for unknown in (ended, "no-token-at-all", launch_page.tokens["admin"][:-4] + "AAAA"):
        answer = launch_page.ask("GET", path, unknown)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/api/v2/auth/login?next=%2Fsagemaker-notebooks%2F")
        assert launch_page.ask("GET", path, unknown, by="bearer", headers={"Accept": "*/*"}).status_code == 401
        for by in BY:
            token = launch_page.form_token(path, "admin")
            answer = launch_page.ask(
                "POST", path, unknown, by=by, headers=OURS, data={"action": "open", "token": token}
            )
            assert answer.status_code == 401
    assert launch_page.ask("POST", path, headers=OURS).status_code == 401


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("headers", FOREIGN)
def test_no_other_page_presses_the_button(
    launch_page: LaunchPageClient, run: Run, by: str, headers: dict[str, str]
) -> None:
    for action in ("open", "start"):
        assert (
            launch_page.press(action, launch_page.path(run, "editors"), "admin", by=by, headers=headers).status_code
            == 403
        )


@pytest.mark.parametrize("by", BY)
def test_a_browser_without_fetch_metadata_says_where_it_was(
    launch_page: LaunchPageClient, run: Run, by: str, sent: Counter[Any]
) -> None:
    sent[MINT, "launch-editors"] += 1
    ours = {"Origin": launch_page.airflow.url}
    assert leads_to_notebook(launch_page.press("open", launch_page.path(run, "editors"), "ellen", by=by, headers=ours))


@pytest.mark.parametrize("by", BY)
def test_a_form_is_good_for_its_person_and_its_task(launch_page: LaunchPageClient, run: Run, by: str) -> None:
    path = launch_page.path(run, "editors")
    others = launch_page.form_token(path, "ed", by)
    of_another_task = launch_page.form_token(launch_page.path(run, "mapped", 0), "admin", by)
    for token in ("nonsense", others, of_another_task, others[:-1], launch_page.form_token(path, "admin", by) + "x"):
        assert launch_page.press("open", path, "admin", by=by, token=token).status_code == 403
    missing = launch_page.ask("POST", path, "admin", by=by, headers=OURS, data={"action": "open"})
    assert missing.status_code == 403
    assert launch_page.ask("POST", path, "admin", by=by, headers=OURS).status_code == 415


@pytest.mark.parametrize("by", BY)
def test_a_mapped_task_opens_its_own_notebook(
    launch_page: LaunchPageClient, run: Run, by: str, sent: Counter[Any]
) -> None:
    sent[MINT, "launch-mapped-1"] += 1
    assert leads_to_notebook(launch_page.press("open", launch_page.path(run, "mapped", 1), "ed", by=by))
    for index in ("2", "-1", "2147483648", "9" * 30, "x", "1.0", "%31x"):
        assert launch_page.ask("GET", f"{launch_page.path(run, 'mapped')}/{index}", "admin", by=by).status_code == 404


@pytest.mark.parametrize("by", BY)
def test_a_page_with_invalid_ids_is_not_found(launch_page: LaunchPageClient, run: Run, by: str) -> None:
    run_id = launch_page.path(run, "editors").split("/")[3]
    for path in (
        f"/sagemaker-notebooks/other/{run_id}/editors",
        f"/sagemaker-notebooks/launch_pages/{run_id}/..",
        f"/sagemaker-notebooks/launch_pages/{run_id}/../editors",
        f"/sagemaker-notebooks/../launch_pages/{run_id}/editors",
        f"/sagemaker-notebooks/launch_pages/{run_id}/%2e%2e",
        f"/sagemaker-notebooks/launch_pages%2F{run_id}/editors",
        f"/sagemaker-notebooks/launch_pages/{run_id}%2Feditors",
        f"/sagemaker-notebooks/launch_pages/{run_id}/editors%2F0",
        f"/sagemaker-notebooks/launch_pages/{run_id}+/editors",
        f"/sagemaker-notebooks/launch_pages/{run_id}/editors%0d%0aSet-Cookie:%20a=b",
        f"/sagemaker-notebooks/launch_pages/{run_id}/{'t' * 250}",
        f"/sagemaker-notebooks/launch_pages/{run_id}/{'t' * 5000}",
        f"/sagemaker-notebooks/launch_pages/{run_id}/'%20OR%201=1",
        "/sagemaker-notebooks/",
        "/sagemaker-notebooks/assets/plugin.py",
        "/sagemaker-notebooks/assets/..%2fplugin.py",
    ):
        answer = launch_page.ask("GET", path, "admin", by=by)
        assert answer.status_code == 404, path
        assert "set-cookie" not in answer.headers or "a=b" not in answer.headers["set-cookie"]


def test_ids_as_long_and_odd_as_airflow_takes_them(
    launch_page: LaunchPageClient, start: Start, sent: Counter[Any]
) -> None:
    run = start("long")
    assert run.end() == "success"
    # Only renamed afterwards: with 250 characters Airflow's own log files get names that no file system takes.
    dag_id, run_id, task_id = "d" * 250, ("a+b:c~d" * 36)[:250], "t" * 250
    for table in ("task_instance", "rendered_task_instance_fields"):
        renamed = f"UPDATE {table} SET dag_id = ?, run_id = ?, task_id = ? WHERE run_id = ?"
        launch_page.database(renamed, dag_id, run_id, task_id, run.run_id)
    launch_page.database("UPDATE dag_run SET dag_id = ?, run_id = ? WHERE run_id = ?", dag_id, run_id, run.run_id)
    launch_page.database("UPDATE dag SET dag_id = ? WHERE dag_id = 'long'", dag_id)
    ((data,),) = launch_page.database("SELECT data FROM serialized_dag WHERE dag_id = 'long'")
    renamed = data.replace('"task_id": "long"', f'"task_id": "{task_id}"')
    assert renamed != data
    launch_page.database("UPDATE serialized_dag SET dag_id = ?, data = ? WHERE dag_id = 'long'", dag_id, renamed)
    sent[MINT, "launch-editors"] += 1
    assert leads_to_notebook(
        launch_page.press("open", launch_page.path(replace(run, dag_id=dag_id, run_id=run_id), task_id), "ed")
    )


@pytest.mark.parametrize("by", BY)
def test_a_stopped_notebook_is_started_once(
    launch_page: LaunchPageClient, run: Run, local: LocalServices, by: str, sent: Counter[Any]
) -> None:
    path = launch_page.path(run, "stopped")
    local.sagemaker.set_status("launch-stopped", "Stopped", region=REGION)
    time.sleep(2.1)  # Until then all page views share one response.
    assert "Start and open" in launch_page.ask("GET", path, "vera", by=by).text
    # Somebody who kept the page from when it ran: back to the page, and nothing minted.
    assert launch_page.press("open", path, "vera", by=by).headers["location"] == path
    sent[START, "launch-stopped"] += 1
    for _ in range(3):
        answer = launch_page.press("start", path, "vera", by=by)
        assert (answer.status_code, answer.headers["location"]) == (303, path)
    page = launch_page.ask("GET", path, "vera", by=by).text
    assert "Starting" in page
    assert "<button" not in page


def test_requests_are_written_to_the_audit_log(launch_page: LaunchPageClient, run: Run, sent: Counter[Any]) -> None:
    sent[MINT, "launch-mapped-0"] += 1
    assert leads_to_notebook(launch_page.press("open", launch_page.path(run, "mapped", 0), "ellen"))
    event, owner, said = launch_page.audit("mapped")[-1]
    assert (event, owner) == ("open_sagemaker_notebook_instance", "ellen")
    assert said["notebook_instance_name"] == "launch-mapped-0"
    assert said["address"] == "127.0.0.1"
    started = [(event, owner) for event, owner, _ in launch_page.audit("stopped") if event.startswith("start")]
    assert started == [("start_sagemaker_notebook_instance", "vera")] * 2


def test_no_row_no_url(launch_page: LaunchPageClient, run: Run) -> None:
    """With an audit log that cannot be written there is no URL."""
    launch_page.database("ALTER TABLE log RENAME TO log_elsewhere")
    try:
        answer = launch_page.press("open", launch_page.path(run, "editors"), "ed")
    finally:
        launch_page.database("ALTER TABLE log_elsewhere RENAME TO log")
    assert answer.status_code == 500
    assert "location" not in answer.headers


def test_the_page_shows_sagemakers_error(
    launch_page: LaunchPageClient, run: Run, local: LocalServices, sent: Counter[Any]
) -> None:
    sent[MINT, "launch-named"] += 1
    local.sagemaker.faults.fail_calls("access-denied", operation=MINT)
    answer = launch_page.press("open", launch_page.path(run, "named"), "vera")
    assert answer.status_code == 502
    assert "AccessDeniedException" in answer.text
    (opened, _, _), (refused, _, said) = launch_page.audit("named")[-2:]
    assert (opened, refused) == ("open_sagemaker_notebook_instance", "open_sagemaker_notebook_instance_refused")
    assert said["error"] == "SageMakerAccessDenied"


def test_a_failure_is_shown_as_text(launch_page: LaunchPageClient, run: Run, local: LocalServices) -> None:
    reason = "<script>alert(1)</script> Insufficient notebook instance capacity \"'><img src=x onerror=alert(1)>"
    local.sagemaker.set_status("launch-mapped-1", "Failed", failure_reason=reason, region=REGION)
    time.sleep(2.1)
    page = launch_page.ask("GET", launch_page.path(run, "mapped", 1), "admin").text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "another instance type" in page


def test_a_person_who_opens_too_often_waits(launch_page: LaunchPageClient, run: Run, sent: Counter[Any]) -> None:
    path = launch_page.path(run, "mapped", 0)
    sent[MINT, "launch-mapped-0"] += 7
    assert all(leads_to_notebook(launch_page.press("open", path, "admin")) for _ in range(6))
    answer = launch_page.press("open", path, "admin")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 60
    # Somebody else has not opened it yet.
    assert leads_to_notebook(launch_page.press("open", path, "ed"))


def test_six_of_40_concurrent_clicks_mint(launch_page: LaunchPageClient, run: Run, sent: Counter[Any]) -> None:
    path = launch_page.path(run, "crowded")
    token = launch_page.form_token(path, "admin")
    sent[MINT, "launch-editors"] += 6
    with ThreadPoolExecutor(40) as pool:
        clicks = [pool.submit(launch_page.press, "open", path, "admin", token=token) for _ in range(40)]
        answers = [click.result() for click in clicks]
    assert Counter(answer.status_code for answer in answers) == {303: 6, 429: 34}
    assert sum(map(leads_to_notebook, answers)) == 6
    events = Counter(event for event, _, _ in launch_page.audit("crowded"))
    assert events["open_sagemaker_notebook_instance"] == 6
    assert 0 < events["open_sagemaker_notebook_instance_refused"] <= 34


def test_30_concurrent_starts_send_one_request(
    launch_page: LaunchPageClient, run: Run, local: LocalServices, sent: Counter[Any]
) -> None:
    path = launch_page.path(run, "stopped")
    token = launch_page.form_token(path, "vera")
    local.sagemaker.set_status("launch-stopped", "Stopped", region=REGION)
    sent[START, "launch-stopped"] += 1
    with ThreadPoolExecutor(30) as pool:
        presses = [pool.submit(launch_page.press, "start", path, "vera", token=token) for _ in range(30)]
        answers = [press.result() for press in presses]
    assert {(answer.status_code, answer.headers["location"]) for answer in answers} == {(303, path)}


def test_an_unresponsive_endpoint_does_not_delay_other_pages(
    launch_page: LaunchPageClient, run: Run, api: httpx.Client
) -> None:
    with socket.socket() as never_answers, ThreadPoolExecutor(45) as pool:
        never_answers.bind(("127.0.0.1", 0))
        never_answers.listen(64)
        extra = {"region_name": REGION, "endpoint_url": f"http://127.0.0.1:{never_answers.getsockname()[1]}"}
        dead = {"connection_id": "aws_dead", "conn_type": "aws", "login": "a", "password": "b"}
        api.post("/api/v2/connections", json={**dead, "extra": json.dumps(extra)}).raise_for_status()
        tabs = [
            pool.submit(launch_page.ask, "GET", launch_page.path(run, "dead"), "admin", timeout=120) for _ in range(45)
        ]
        with never_answers.accept()[0]:
            assert launch_page.ask("GET", launch_page.path(run, "editors"), "admin").status_code == 200
            assert not any(tab.done() for tab in tabs)
        never_answers.close()
        assert {tab.result().status_code for tab in tabs} == {503}


def test_a_click_opens_only_the_notebook_that_the_page_shows(launch_page: LaunchPageClient, run: Run) -> None:
    path = launch_page.path(run, "renamed")
    token = launch_page.form_token(path, "admin")
    launch_page.render(
        run, "renamed", **{**launch_page.rendered(run, "renamed"), "notebook_instance_name": "launch-stopped"}
    )
    for action in ("open", "start"):
        answer = launch_page.press(action, path, "admin", token=token)
        assert answer.status_code == 409
        assert "launch-stopped" in answer.text


def test_a_large_form_is_not_even_read(launch_page: LaunchPageClient, run: Run) -> None:
    path = launch_page.path(run, "editors")
    multipart = {**OURS, "Content-Type": "multipart/form-data; boundary=x"}
    urlencoded = {**OURS, "Content-Type": "application/x-www-form-urlencoded"}
    much = b"a" * 1_000_000
    for headers in (multipart, urlencoded):
        assert launch_page.ask("POST", path, headers=headers, content=much).status_code == 401
    assert launch_page.ask("POST", path, "ed", headers=multipart, content=much).status_code == 415
    assert launch_page.ask("POST", path, "ed", headers=urlencoded, content=much).status_code == 413
    # Without a Content-Length.
    assert launch_page.ask("POST", path, "ed", headers=urlencoded, content=iter([much[:5000]] * 3)).status_code == 413


def test_a_denied_click_is_written_to_the_audit_log(launch_page: LaunchPageClient, run: Run) -> None:
    path = launch_page.path(run, "editors")
    token = launch_page.form_token(path, "ed")
    before = launch_page.audit("editors")
    launch_page.ask("GET", path, "zoe@example.com")
    assert launch_page.audit("editors") == before
    for action, why, headers in (
        ("open", "You have no access", OURS),
        ("start", "You have no access", OURS),
        ("open", "The request came from another page", {"Origin": "https://evil.example"}),
    ):
        assert launch_page.press(action, path, "zoe@example.com", token=token, headers=headers).status_code == 403
        event, owner, said = launch_page.audit("editors")[-1]
        assert (event, owner) == (f"{action}_sagemaker_notebook_instance_refused", "zoe@example.com")
        assert (said["error"], said["address"]) == (why, "127.0.0.1")


def test_when_the_dag_is_gone_its_pages_are_closed(launch_page: LaunchPageClient, run: Run) -> None:
    token = launch_page.form_token(launch_page.path(run, "editors"), "ed")
    launch_page.database("UPDATE dag SET is_stale = 1 WHERE dag_id = 'launch_pages'")
    try:
        assert launch_page.ask("GET", launch_page.path(run, "editors"), "ed").status_code == 410
        assert launch_page.press("open", launch_page.path(run, "editors"), "ed", token=token).status_code == 410
    finally:
        launch_page.database("UPDATE dag SET is_stale = 0 WHERE dag_id = 'launch_pages'")


def test_a_removed_user_loses_access_and_clearing_the_task_closes_the_page(
    launch_page: LaunchPageClient, start: Start, airflow: AirflowStandalone, api: httpx.Client, sent: Counter[Any]
) -> None:
    file = airflow.dags / "leaving.py"
    run = start("leaving")
    assert run.end() == "success"
    path = launch_page.path(run, "link")
    tokens = {user: launch_page.form_token(path, user) for user in ("vera", "ed")}
    sent[MINT, "launch-editors"] += 2
    assert leads_to_notebook(launch_page.press("open", path, "vera", token=tokens["vera"]))

    file.write_text(file.read_text().replace('ALLOWED = ["vera", "ed"]', 'ALLOWED = ["ed"]'))
    token_of_file = api.get("/api/v2/dags/leaving/details").raise_for_status().json()["file_token"]
    api.put(f"/api/v2/parseDagFile/{token_of_file}").raise_for_status()
    until(lambda: launch_page.ask("GET", path, "vera").status_code == 403, "vera is out", timeout=90, interval=0.25)
    assert launch_page.press("open", path, "vera", token=tokens["vera"]).status_code == 403
    assert leads_to_notebook(launch_page.press("open", path, "ed", token=tokens["ed"]))

    api.patch("/api/v2/dags/leaving", json={"is_paused": True}).raise_for_status()
    clear = {"dry_run": False, "dag_run_id": run.run_id, "only_failed": False, "task_ids": ["link"]}
    api.post("/api/v2/dags/leaving/clearTaskInstances", json=clear).raise_for_status()
    assert launch_page.ask("GET", path, "ed").status_code == 409
    assert launch_page.press("open", path, "ed", token=tokens["ed"]).status_code == 409
    api.patch("/api/v2/dags/leaving", json={"is_paused": False}).raise_for_status()
    assert run.end() == "success"
    assert launch_page.ask("GET", path, "ed").status_code == 200


def test_a_task_that_resumes_pulls_when_its_notebook_was_kept_running(
    launch_page: LaunchPageClient, local: LocalServices, start: Start
) -> None:
    for name in ("elsewhere", "mapped-0", "mapped-1"):
        local.sagemaker.set_status(f"launch-{name}", "InService", region=REGION)
    run = start("watching")
    tasks = {("one", -1): None, ("mapped", 0): 0, ("mapped", 1): 1}
    pages = {key: launch_page.path(run, key[0], index) for key, index in tasks.items()}
    until(lambda: all(launch_page.form_token(page, "ed") for page in pages.values()), "all watch", interval=0.25)
    assert launch_page.press("keep", pages["one", -1], "vera", token="x").status_code == 403
    assert launch_page.press("open", pages["one", -1], "ed").status_code == 400
    for page in pages.values():
        pressed = launch_page.press("keep", page, "ed")
        assert (pressed.status_code, pressed.headers["location"]) == (303, page)
        assert "Kept at" in launch_page.ask("GET", page, "ed").text
    table = "SELECT task_id, map_index, json_extract(value, '$') FROM xcom WHERE run_id = ? AND key = ?"
    kept = {(task, index): at for task, index, at in launch_page.database(table, run.run_id, KEEP_KEY)}
    assert kept.keys() == tasks.keys()
    assert run.end(timeout=240) == "success"
    # What was pulled at the first resume is still there at the second.
    assert {key: run.xcom(*key) for key in tasks} == {key: f"{at} {at}" for key, at in kept.items()}
    assert [launch_page.ask("GET", page, "ed").status_code for page in pages.values()] == [410] * 3
    assert [event for event, *_ in launch_page.audit("one")] == [
        "keep_sagemaker_notebook_instance_running_refused",
        "open_sagemaker_notebook_instance_refused",
        "keep_sagemaker_notebook_instance_running",
    ]


def test_every_response_has_the_security_headers(launch_page: LaunchPageClient, run: Run, sent: Counter[Any]) -> None:
    path = launch_page.path(run, "editors")
    sent[MINT, "launch-editors"] += 1
    answers = (
        launch_page.ask("GET", path, "ed"),
        launch_page.press("open", path, "ed"),
        launch_page.ask("GET", path),
        launch_page.ask("GET", path, "vera"),
        launch_page.ask("GET", "/sagemaker-notebooks/nowhere", "vera"),
        launch_page.ask("PUT", path, "ed"),
    )
    assert [answer.status_code for answer in answers] == [200, 303, 303, 403, 404, 405]
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["x-frame-options"] == "DENY"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "authToken" not in str({**answer.headers, "location": ""}) + answer.text


def test_the_page_is_small_and_asks_nobody_else(launch_page: LaunchPageClient, run: Run) -> None:
    page = launch_page.ask("GET", launch_page.path(run, "editors"), "ed")
    assets = [part.split('"')[0] for part in page.text.split('"/sagemaker-notebooks/assets/')[1:]]
    files = [launch_page.ask("GET", f"/sagemaker-notebooks/assets/{asset}") for asset in assets]
    assert [file.status_code for file in files] == [200, 200]
    assert len(page.content) + sum(len(file.content) for file in files) < 30_000
    assert "http" not in page.text.replace("http-equiv", "")
    # A page of an api-server of another version may ask for another file.
    for asset, file in zip(assets, files, strict=True):
        assert "immutable" in file.headers["cache-control"]
        foreign = launch_page.ask("GET", f"/sagemaker-notebooks/assets/{asset[:-1]}")
        assert (foreign.status_code, foreign.headers["cache-control"]) == (200, "no-cache")


def test_the_buttons_of_the_task(run: Run, launch_page: LaunchPageClient) -> None:
    assert run.links("editors")["Open notebook"] == launch_page.airflow.url + launch_page.path(run, "editors")
