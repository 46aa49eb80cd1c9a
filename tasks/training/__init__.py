"""Fine-tuning on a release: rows are drawn, a process of its own trains on them, what came of it is compared."""
