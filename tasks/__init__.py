"""What is done: one package per stage of the pipeline."""
