"""Speed and memory of the sandbox, measured side by side in one run."""
