"""What the rows are about, how evenly they spread, how that drifts from run to run, and meeting a target mix."""
