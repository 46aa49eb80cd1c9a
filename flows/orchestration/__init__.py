"""What the flows share: chains of shards, engines, checks before work starts, and what the Prefect UI is told."""
