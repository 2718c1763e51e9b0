"""What importing a module costs and loads, in a fork of a process that has Airflow loaded."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping

from airflow_sagemaker_presign.compat import AIRFLOW_VERSION

OURS = {
    "operators": "import airflow_sagemaker_presign.operators.sagemaker_notebook",
    "notifiers": (
        "import airflow_sagemaker_presign.notifications.slack, airflow_sagemaker_presign.notifications.email"
    ),
}
AMAZON = "the amazon provider's SageMaker operators"
THEIRS = {
    AMAZON: "import airflow.providers.amazon.aws.operators.sagemaker",
    "the Slack provider's hook": "import airflow.providers.slack.hooks.slack",
}

LAUNCH_PAGE = "the launch page's plugin"
PLUGIN = {LAUNCH_PAGE: "import airflow_sagemaker_presign.launch_page.plugin"}

_DAG_FILES = "airflow.sdk" if AIRFLOW_VERSION >= (3, 0) else "airflow.models"
# The DAG processor imports what a DAG file imports of `airflow.*` once, and forks; the rest is imported per parse.
DAG_PROCESSOR = f"import airflow.dag_processing.processor; from {_DAG_FILES} import DAG, BaseOperator"

PROCESSES = {
    "a process of Airflow's": "import airflow; from airflow import plugins_manager",
}
if AIRFLOW_VERSION >= (3, 0):  # Before, a task ran in a process of Airflow's.
    _MANAGER = "airflow.sdk" if AIRFLOW_VERSION >= (3, 2) else "airflow"
    PROCESSES["a task's process"] = (
        f"import airflow.sdk.execution_time.task_runner; from {_MANAGER} import plugins_manager"
    )

_PARENT = """
import gc, json, os, sys, time
exec(sys.argv[3])
gc.freeze()  # As the DAG processor's manager does: else now and then an import pays for collecting all of Airflow.
groups, forks = json.loads(sys.argv[1]), int(sys.argv[2])
# By turns, so that whatever else the machine does meanwhile slows all of them.
for number in range(forks):
    for name, statements in groups.items():
        read, write = os.pipe()
        if not os.fork():
            before = set(sys.modules)
            began = time.process_time()
            exec(statements)
            spent = (time.process_time() - began) * 1000
            heavy = ("boto3", "botocore", "slack_sdk", "fastapi", "starlette", "jinja2", "airflow.providers.amazon",
                     "airflow.providers.slack", "airflow.providers.smtp")
            loaded = sorted(module for module in set(sys.modules) - before if module.startswith(heavy))
            os.write(write, json.dumps([name, spent, loaded[:50]]).encode())
            os._exit(0)
        os.close(write)
        print(os.read(read, 65536).decode())
        os.close(read)
        os.wait()
"""


def costs(
    groups: Mapping[str, str], forks: int = 15, parent: str = DAG_PROCESSOR
) -> dict[str, tuple[float, list[str]]]:
    """
    Import groups of modules in forks of a process that has Airflow loaded.

    :param groups: the statements of each group, which import.
    :param forks: how many forks for each.
    :param parent: what the process has loaded, as statements.
    :return: for each the median of the CPU milliseconds that the import took, and which heavy modules came with it.
    """
    with tempfile.TemporaryDirectory() as folder:
        # With bytecode, as installed packages have it: for this one the first fork writes it, outside the median.
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")}
        env |= {"AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        answer = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _PARENT, json.dumps(dict(groups)), str(forks + 1), parent],
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
    lines = [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("[")][len(groups) :]
    return {
        group: (
            statistics.median(spent for name, spent, _ in lines if name == group),
            next(loaded for name, _, loaded in lines if name == group),
        )
        for group in groups
    }
