"""Tables of labelled rows."""

import numpy as np
import pandas as pd
import pytest

TOPICS = ["strings", "graphs", "sorting", "dates"]
LEVELS = ["easy", "medium", "hard"]


@pytest.fixture
def rows():
    """Make a table of so many labelled rows; equal arguments make equal tables."""

    def make(count: int, seed: int = 0, prefix: str = "r", hard: float = 0.2) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        topics = rng.choice(TOPICS, (count, 2))
        return pd.DataFrame(
            {
                "id": [f"{prefix}{number}" for number in range(count)],
                "subset": rng.choice(["Taco", "Docs"], count),
                "style": rng.choice(["instruct", "complete"], count),
                "difficulty": rng.choice(LEVELS, count, p=[0.8 - hard, 0.2, hard]),
                "topics": [list(dict.fromkeys(pair)) for pair in topics],
                "skills": [["recursion"] * (number % 2) + ["class"] * (number % 3 == 0) for number in range(count)],
                "libraries": [["pandas"] if number % 5 == 0 else [] for number in range(count)],
                "language": "en",
                "words": rng.integers(5, 500, count),
                "structure": [f"{number % 7:016x}" for number in range(count)],
                "text": [f"Question {number} about {' and '.join(pair)}." for number, pair in enumerate(topics)],
                "quality": rng.random(count),
            }
        )

    return make
