"""What importing a module costs where DAG files are parsed: in a fork of a process that has Airflow loaded."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile

OURS = {
    "operators": "airflow_sagemaker_presign.operators.sagemaker_notebook",
    "notifiers": ("airflow_sagemaker_presign.notifications.slack,airflow_sagemaker_presign.notifications.email"),
}
THEIRS = {
    "the amazon provider's SageMaker operators": "airflow.providers.amazon.aws.operators.sagemaker",
    "the Slack provider's notifier": "airflow.providers.slack.notifications.slack",
}

# The DAG processor imports what a DAG file imports of `airflow.*` once, and forks; the rest is imported per parse.
_CHILD = """
import gc, importlib, json, os, sys, time
import airflow.dag_processing.processor
from airflow.sdk import DAG, BaseOperator
gc.freeze()  # as the DAG processor does before it forks
gc.freeze()  # As the DAG processor's manager does: else now and then an import pays for collecting all of Airflow.
modules, forks = sys.argv[1].split(","), int(sys.argv[2])
for number in range(forks):
    read, write = os.pipe()
    if not os.fork():
        began = time.process_time()
        for module in modules:
            importlib.import_module(module)
        spent = (time.process_time() - began) * 1000
        heavy = ("boto3", "botocore", "slack_sdk", "airflow.providers.amazon.aws", "airflow.providers.slack.hooks",
                 "airflow.providers.slack.notifications", "airflow.providers.smtp.hooks",
                 "airflow.providers.smtp.notifications")
        loaded = sorted(name for name in sys.modules if name.startswith(heavy))
        os.write(write, json.dumps([spent, loaded[:50]]).encode())
        os._exit(0)
    os.close(write)
    print(os.read(read, 65536).decode())
    os.close(read)
    os.wait()
"""


def cost(modules: str, forks: int = 15) -> tuple[float, list[str]]:
    """
    Import modules in forks of a process that has Airflow loaded.

    :param modules: their names, separated by commas.
    :param forks: how many forks.
    :return: the median of the CPU milliseconds that the import took, and which heavy modules came with it.
    """
    with tempfile.TemporaryDirectory() as folder:
        # With bytecode, as installed packages have it: for this one the first fork writes it, outside the median.
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")}
        env |= {"AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        answer = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _CHILD, modules, str(forks + 1)],
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
    lines = [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("[")][1:]
    return statistics.median(spent for spent, _ in lines), lines[0][1]


def measure() -> dict[str, float]:
    """Measure this package's modules and the providers' in one run."""
    return {name: cost(modules)[0] for name, modules in (OURS | THEIRS).items()}
