"""``python -m airflow_sagemaker_presign.local.demo``."""

import sys

from airflow_sagemaker_presign.local.demo.demo import main

sys.exit(main())
