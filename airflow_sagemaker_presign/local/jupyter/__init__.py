"""The JupyterLab behind the presigned URLs of the local SageMaker."""
