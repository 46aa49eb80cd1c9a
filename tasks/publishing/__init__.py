"""Stage 5: the release: Parquet splits and a dataset card."""
