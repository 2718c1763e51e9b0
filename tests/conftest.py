"""What every kind of test needs: an Airflow home of their own, made before Airflow is imported."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-sagemaker-presign-tests-"))
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
