"""Stage 3: difficulty and test quality, and the choice of the attempt that is kept."""
