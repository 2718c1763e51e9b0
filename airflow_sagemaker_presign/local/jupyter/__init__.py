"""
The JupyterLabs that the presigned URLs of the local SageMaker open.

Each notebook instance has a port of its own, as it has a host of its own on AWS. A reverse proxy listens there, in the
process of the local SageMaker: it exchanges a link for a session, and forwards the session's requests to the
JupyterLab of this notebook instance for as long as the session lasts and the notebook instance is InService. A
JupyterLab listens on a socket in the file system, starts when its notebook instance is opened, and ends with
everything below it when the notebook instance stops.
"""
