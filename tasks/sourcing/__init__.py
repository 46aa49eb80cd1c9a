"""Stage 1: from seeds to questions, one module per synthesis method."""
