"""Stage 4: duplicates and benchmark contamination. Every decision has a reason and evidence."""
