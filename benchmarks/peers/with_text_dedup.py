"""Near duplicates by text-dedup's own command `text_dedup.minhash`: ``python with_text_dedup.py ROWS OUT``.

It reads the file, works in as many processes as there are cores, and writes its union-find, so reading and writing are
in its time. xxh3 and 32 bits are the faster ones of what it offers.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

from duplicates import JACCARD, PERMUTATIONS, run


def cluster(questions: list[str]) -> list[int]:
    """The row that stands for each row."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = [sys.executable, "-m", "text_dedup.minhash", "--path", "json", "--data_files", sys.argv[1]]
        command += ["--split", "train", "--column", "question", "--output", str(out), "--cache_dir", f"{folder}/cache"]
        command += ["--ngram", "3", "--min_length", "1", "--num_perm", str(PERMUTATIONS), "--threshold", str(JACCARD)]
        command += ["--hash_func", "xxh3", "--hash_bits", "32", "--debug"]
        env = {**os.environ, "HF_HOME": folder, "HF_HUB_OFFLINE": "1"}
        subprocess.run(command, check=True, env=env, stdout=sys.stderr)
        found = pickle.loads((out / "uf.pkl").read_bytes())
    parent = found.parent if hasattr(found, "parent") else found

    def root(row: int) -> int:
        while parent.get(row, row) != row:
            row = parent[row]
        return row

    return [root(row) for row in range(len(questions))]


if __name__ == "__main__":
    run(cluster)
