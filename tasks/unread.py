"""A process whose output nobody reads any more."""

from __future__ import annotations

import logging
from functools import partial

from rich.console import Console


def outlive_readers() -> None:
    """Have this process go on where nobody reads its log on the console any more, as when its worker has died.

    rich ends the thread that prints to a closed pipe: the flow's own, which ends the run, or one that hands on what
    tasks return, and then the run waits for ever. Prefect's server is told what is logged all the same.
    """
    for logger in (logging.root, *logging.root.manager.loggerDict.values()):
        for handler in getattr(logger, "handlers", ()):
            console = getattr(handler, "console", None)
            if isinstance(console, Console):
                console.on_broken_pipe = partial(setattr, console, "quiet", True)  # type: ignore[method-assign]
