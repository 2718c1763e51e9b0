"""What a click on the launch page costs on a real Airflow: time, fifty people at once, the api-server's memory."""

from __future__ import annotations

import asyncio
import contextlib
import re
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_connections import airflow_connections
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone
from tests.helpers.local_client import sagemaker_client

# As in dags/bench_launch_page.py.
PEOPLE = [f"person-{number:02}" for number in range(50)]
NOTEBOOKS = [f"notebook-{number:02}" for number in range(50)]
CLICKS = 100
REPETITIONS = 2
"""How often each user opens every notebook in the measurement of memory: 5,000 openings, and no user often enough to be
asked to retry later."""
LIMIT = 0.3
"""Seconds on top of SageMaker's own."""

TOKEN = re.compile(r'name="token" value="([^"]+)"')


class LaunchPageClient:
    """
    The launch pages of one DAG run, and the requests of all their users.

    :param airflow: where they are.
    :param run_id: the run of the benchmark's DAG.
    """

    def __init__(self, airflow: AirflowStandalone, run_id: str) -> None:
        path = f"/sagemaker-notebooks/bench_launch_page/{run_id.replace('+', '%2B')}/link"
        self._paths = {notebook: f"{path}/{index}" for index, notebook in enumerate(NOTEBOOKS)}
        self._cookies = {person: {"Cookie": f"_token={airflow.token(person)}"} for person in PEOPLE}
        self._http = httpx.AsyncClient(base_url=airflow.url, timeout=120, trust_env=False)

    async def open_page(self, person: str, notebook: str) -> str:
        """Get the page; the token of its form."""
        answer = await self._http.get(self._paths[notebook], headers=self._cookies[person])
        found = TOKEN.search(answer.text)
        if answer.status_code != 200 or found is None:
            raise RuntimeError(f"{person} got a {answer.status_code} instead of the page of {notebook}.")
        return found[1]

    async def click(self, person: str, notebook: str, token: str) -> float:
        """Press the button; the seconds until the answer that leads to the notebook."""
        headers = {**self._cookies[person], "Sec-Fetch-Site": "same-origin"}
        began = time.perf_counter()
        answer = await self._http.post(self._paths[notebook], headers=headers, data={"action": "open", "token": token})
        seconds = time.perf_counter() - began
        # Never say where it leads.
        if answer.status_code != 303 or "authToken=" not in answer.headers.get("Location", ""):
            raise RuntimeError(f"{person} got a {answer.status_code} that does not lead to {notebook}.")
        return seconds

    async def open(self, person: str, notebook: str) -> None:
        await self.click(person, notebook, await self.open_page(person, notebook))


def measure() -> dict[str, Any]:
    """Run the benchmark's DAG once, for real, and go through the launch pages of its tasks."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalServices(jupyter=False, notebooks=()) as local,
        AirflowStandalone(
            Path(folder) / "airflow",
            dags=Path(__file__).parent / "dags",
            users=dict.fromkeys(PEOPLE, "viewer"),
            env=airflow_connections(local.addresses()),
        ) as airflow,
    ):
        for notebook in NOTEBOOKS:
            local.sagemaker.create_notebook(notebook, "InService")
        run_id = airflow.trigger("bench_launch_page")
        state = airflow.wait_for_run("bench_launch_page", run_id, timeout=600)
        if state != "success":
            raise RuntimeError(f"The run ended as {state}:\n{airflow.task_log('bench_launch_page', run_id, 'link')}")
        return asyncio.run(_measure(local, LaunchPageClient(airflow, run_id)))


async def _measure(local: LocalServices, launch_page: LaunchPageClient) -> dict[str, Any]:
    sagemaker = sagemaker_client(local.endpoint_url)
    return {
        "first pages": await _first_pages(launch_page),
        "click": await _clicks(launch_page, sagemaker),
        "at once": await _at_once(launch_page, sagemaker),
        "memory": await _memory(launch_page),
    }


async def _first_pages(launch_page: LaunchPageClient) -> float:
    """All users open the page at once, for the first time: the api-server still has to load its modules."""
    began = time.perf_counter()
    await asyncio.gather(*(launch_page.open_page(*pair) for pair in zip(PEOPLE, NOTEBOOKS, strict=True)))
    return time.perf_counter() - began


async def _clicks(launch_page: LaunchPageClient, sagemaker: Any) -> dict[str, list[float]]:
    """Click, and ask SageMaker for the same without a launch page, by turns; the seconds of each, sorted."""
    pairs = list(zip(PEOPLE, NOTEBOOKS, strict=True))
    for person, notebook in pairs:
        await launch_page.open(person, notebook)
    seconds, own = [], []
    for number in range(CLICKS):
        person, notebook = pairs[number % len(pairs)]
        token = await launch_page.open_page(person, notebook)
        seconds.append(await launch_page.click(person, notebook, token))
        own.append(_without_launch_page(sagemaker, notebook))
    return {"launch_page": sorted(seconds), "SageMaker": sorted(own)}


def _without_launch_page(sagemaker: Any, notebook: str) -> float:
    """The two calls of a click; how many seconds they take."""
    began = time.perf_counter()
    sagemaker.describe_notebook_instance(NotebookInstanceName=notebook)
    sagemaker.create_presigned_notebook_instance_url(NotebookInstanceName=notebook)
    return time.perf_counter() - began


async def _at_once(launch_page: LaunchPageClient, sagemaker: Any) -> dict[str, float]:
    """Let all users click at once, each for their own notebook; return the seconds until the last is done."""
    pairs = list(zip(PEOPLE, NOTEBOOKS, strict=True))
    tokens = [await launch_page.open_page(*pair) for pair in pairs]
    began = time.perf_counter()
    await asyncio.gather(*(launch_page.click(*pair, token) for pair, token in zip(pairs, tokens, strict=True)))
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    with ThreadPoolExecutor(len(PEOPLE)) as people:
        list(people.map(lambda notebook: _without_launch_page(sagemaker, notebook), NOTEBOOKS))
    return {"launch_page": seconds, "SageMaker": time.perf_counter() - began}


async def _memory(launch_page: LaunchPageClient) -> dict[str, Any]:
    """Let all users open every notebook; return the api-server's memory after each 500 openings."""
    megabytes, opened = {}, 0
    began = time.perf_counter()
    for notebook in NOTEBOOKS * REPETITIONS:
        await asyncio.gather(*(launch_page.open(person, notebook) for person in PEOPLE))
        opened += len(PEOPLE)
        if opened % 500 == 0:
            megabytes[opened] = _api_server_megabytes()
            print(f"  {opened:5} openings {megabytes[opened]:7.1f} MB", flush=True)
    return {"megabytes": megabytes, "openings a second": opened / (time.perf_counter() - began)}


def _api_server_megabytes() -> float:
    """What the api-server's processes hold of memory that no other process shares."""
    megabytes = 0.0
    for process in psutil.Process().children(recursive=True):
        # Tasks and other processes of Airflow's end meanwhile.
        with contextlib.suppress(psutil.NoSuchProcess):
            # Its command is "airflow api-server"; it calls itself "airflow api_server".
            if re.search(r"airflow api[_-]server", " ".join(process.cmdline())):
                megabytes += process.memory_full_info().uss / 2**20
    if not megabytes:
        raise RuntimeError("There is no process of the api-server to be found.")
    return megabytes
