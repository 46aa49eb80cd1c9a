"""Stage 2, the host's side of the sandbox: pool, backends, verdicts."""
