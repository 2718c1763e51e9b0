"""
Fill a new Airflow database with tasks that wait, and the connection that they use.

    python -m tests.benchmarks.waiting_tasks STYLE WAITS INTERVAL CONNECTION

As they are after they deferred; a thousand tasks that run until then would take this benchmark an hour.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from airflow.models.connection import Connection
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType

from airflow_sagemaker_presign.compat import DAG
from tests.benchmarks.styles import STYLES

BUNDLE = "dags-folder"


def fill(style: str, waits: int, interval: float, connection: str) -> None:
    """
    Make a DAG run whose tasks have all deferred.

    :param style: which trigger; a key of ``STYLES``.
    :param waits: how many tasks.
    :param interval: seconds, the ``poll_interval``.
    :param connection: ``aws_default``, as JSON.
    """
    with DAG(dag_id="many", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        EmptyOperator(task_id="notebook")
    with create_session() as session:
        session.add(Connection.from_json(connection, conn_id="aws_default"))
        session.add(DagBundleModel(name=BUNDLE))
        session.flush()
        session.add(DagModel(dag_id=dag.dag_id, bundle_name=BUNDLE))
        session.flush()
        SerializedDagModel.write_dag(LazyDeserializedDAG.from_dag(dag), BUNDLE, session=session)
        session.commit()
        serialized = SerializedDagModel.get_dag(dag.dag_id, session=session)
        assert serialized is not None
        now = datetime.now(UTC)
        run = serialized.create_dagrun(
            run_id="morning",
            logical_date=now,
            run_after=now,
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.TEST,
            state=DagRunState.RUNNING,
            session=session,
        )
        session.flush()
        (first,) = run.get_task_instances(session=session)
        task, version = serialized.get_task("notebook"), first.dag_version_id
        session.delete(first)
        for number in range(waits):
            trigger = Trigger.from_object(STYLES[style](f"notebook-{number:05}", interval))
            session.add(trigger)
            session.flush()
            # As of a mapped task.
            waiting = TaskInstance(task, version, run_id=run.run_id, state=TaskInstanceState.DEFERRED, map_index=number)
            waiting.trigger_id, waiting.try_number, waiting.start_date = trigger.id, 1, now
            session.add(waiting)


if __name__ == "__main__":
    fill(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
