"""How the fleet's Airflow is set, and why."""

from __future__ import annotations

import json

WORKER_CONCURRENCY = 4
NOTICES = {
    # A task whose worker died is failed, and retried, when its heartbeat is this old. Airflow's default: 300.
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    # What a dead worker had taken from Redis and not yet begun, another gets after this time. Default: 86400, so a day;
    # has to be longer than any task runs in a worker.
    "CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "60",
    # The other triggerer takes over a dead one's waits when its heartbeat is this old. Airflow's default.
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "30",
}
"""What decides how quickly Airflow notices that a machine is gone, in seconds."""

IMPORTED_ONCE = [
    "airflow_sagemaker_presign.delivery.deliver",
    "airflow_sagemaker_presign.hooks.sagemaker_notebook",
    "airflow_sagemaker_presign.notifications.email_message",
    "airflow.providers.smtp.hooks.smtp",
]
"""A worker imports these once, and each task's process has them from there; else each imports them anew."""


def settings(database: str, broker: str) -> dict[str, str]:
    """
    Answer the environment by which Airflow is a fleet on a small machine.

    :param database: PostgreSQL's address, for psycopg.
    :param broker: Redis' address.
    """
    sqlalchemy = database.replace("postgresql://", "postgresql+psycopg://", 1)
    values = {
        **NOTICES,
        "CORE__EXECUTOR": "CeleryExecutor",
        # No more than the workers take and a few to follow: what waits in Redis is what a dead worker may hold.
        "CORE__PARALLELISM": "16",
        "DATABASE__SQL_ALCHEMY_CONN": sqlalchemy,
        "DATABASE__SQL_ALCHEMY_CONN_ASYNC": sqlalchemy,
        "CELERY__BROKER_URL": broker,
        "CELERY__RESULT_BACKEND": f"db+{sqlalchemy}",
        "CELERY__WORKER_CONCURRENCY": str(WORKER_CONCURRENCY),
        # The seconds of worker slots are counted of the events.
        "CELERY__EXTRA_CELERY_CONFIG": json.dumps({"worker_send_task_events": True, "imports": IMPORTED_ONCE}),
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
        "LOGGING__LOGGING_LEVEL": "INFO",
        "LOGGING__CELERY_LOGGING_LEVEL": "WARNING",
        "LOGGING__COLORED_CONSOLE_LOG": "False",
    }
    return {f"AIRFLOW__{key}": value for key, value in values.items()}
