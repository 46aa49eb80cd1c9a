"""Models on code benchmarks: items, answers, verdicts, pass@k, and comparisons."""
