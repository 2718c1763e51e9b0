"""The demo: SageMaker, an inbox and a real Airflow on this machine. Nothing outside of this folder imports it."""
