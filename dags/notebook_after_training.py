"""
A notebook after training: the link comes with the training job's name and its model artifact, once the job is done.

If training fails, no notebook is started, and the recipient gets a message about the failure instead.
"""

from __future__ import annotations

import pendulum
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import (
    SageMakerPresignedNotebookUrlOperator,
    SageMakerStopNotebookInstanceOperator,
)

try:
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG, Param, TriggerRule
except ImportError:  # Airflow 2
    from airflow.models.dag import DAG
    from airflow.models.param import Param
    from airflow.operators.empty import EmptyOperator
    from airflow.utils.trigger_rule import TriggerRule

NOTEBOOK = "research"
MAIL = NotebookUrlSmtpNotifier(
    to="{{ params.recipient }}",
    note="{% set job = ti.xcom_pull(task_ids='train')['Training'] %}"
    "Training job {{ job.TrainingJobName }} is done. Its model is at {{ job.ModelArtifacts.S3ModelArtifacts }}",
)

with DAG(
    dag_id="notebook_after_training",
    description="Train a model, then send a link to look at it",
    schedule=None,
    start_date=pendulum.datetime(2025, 1, 1, tz="UTC"),
    doc_md=__doc__,
    tags=["sagemaker", "notebook"],
    params={
        "recipient": Param("ada@example.com", type="string", title="Who gets the link", format="idn-email"),
        "bucket": Param("my-models", type="string", title="Bucket for the data and the model"),
        "role_arn": Param("arn:aws:iam::123456789012:role/training", type="string", title="The job's execution role"),
        "hyperparameters": Param({}, type="object", title="Hyperparameters", description="Names and values, as text."),
    },
    render_template_as_native_obj=True,
) as dag:
    train = SageMakerTrainingOperator(
        task_id="train",
        config={
            "TrainingJobName": "churn-{{ dag_run.start_date.strftime('%Y%m%dt%H%M%S%f') }}",
            "RoleArn": "{{ params.role_arn }}",
            "AlgorithmSpecification": {
                "TrainingImage": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
                "TrainingInputMode": "File",
            },
            "HyperParameters": "{{ params.hyperparameters }}",
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            "S3Uri": "s3://{{ params.bucket }}/churn/train",
                            "S3DataDistributionType": "FullyReplicated",
                        }
                    },
                }
            ],
            "OutputDataConfig": {"S3OutputPath": "s3://{{ params.bucket }}/churn/models"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
        check_interval=30,
        print_log=False,
        on_failure_callback=NotebookUrlSmtpNotifier(to="{{ params.recipient }}"),
    )
    notebook_link = SageMakerPresignedNotebookUrlOperator(
        task_id="notebook_link",
        notebook_instance_name=NOTEBOOK,
        recipient="{{ params.recipient }}",
        notifiers=[MAIL],
        deferrable=True,
        on_failure_callback=[MAIL],
    )
    stop_if_failed = SageMakerStopNotebookInstanceOperator(
        task_id="stop_if_failed",
        notebook_instance_name=NOTEBOOK,
        trigger_rule=TriggerRule.ONE_FAILED,
        only_if_started_in_run=True,
        deferrable=True,
    )
    # A run has the state of its last tasks: without this one, a successful clean-up would hide a failure.
    delivered = EmptyOperator(task_id="delivered")

    train >> notebook_link >> [delivered, stop_if_failed]
