"""The console command as a whole."""

from __future__ import annotations

import subprocess
import sys


def test_help_does_not_wait_for_prefect():
    code = "import sys; import flows.cli; print(*sys.modules.keys() & {'prefect', 'scipy', 'torch'})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert (done.stdout.strip(), done.stderr) == ("", "")
