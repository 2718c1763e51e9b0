"""The launch page: a page of Airflow's api-server that mints a notebook's URL when a signed-in person clicks."""
