"""``kodforge deploy``: what a Prefect server needs to run the pipeline, made or brought up to date."""
