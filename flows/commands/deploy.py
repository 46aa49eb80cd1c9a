"""``kodforge deploy``: a Prefect server made ready for scheduled runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from flows.console.options import describe
from flows.deploying.options import IMAGE, DeployOptions, PoolType
from tasks.errors import BadInput
from tasks.settings import Backend

FILE = Path(__file__).resolve().parents[2] / "deployments" / "prefect.yaml"


def deploy(
    pool: Annotated[str | None, typer.Option("--pool", help="Work pool; made where there is none. [kodforge]")] = None,
    pool_type: Annotated[
        PoolType | None, typer.Option("--pool-type", help="Where its runs take place. [process]")
    ] = None,
    image: Annotated[
        str | None, typer.Option("--image", help=f"Image of the jobs of a Docker or Kubernetes pool. [{IMAGE}]")
    ] = None,
    sandbox: Annotated[
        Backend | None,
        typer.Option("--sandbox", help="Of a Docker pool's jobs; docker: by its socket. [auto]"),
    ] = None,
    secret: Annotated[
        list[str], typer.Option("--secret", metavar="BLOCK=VARIABLE", help="Secret block, filled from a variable.")
    ] = [],  # noqa: B006 - typer reads the default, nobody changes it
    env: Annotated[
        list[str], typer.Option("--env", metavar="NAME=VALUE", help="Environment of the jobs. No keys: see --secret.")
    ] = [],  # noqa: B006
    store: Annotated[str, typer.Option("--store", help="Folder or URL where the jobs keep their runs.")] = "",
    notify: Annotated[
        list[str],
        typer.Option(
            "--notify",
            metavar="KIND=VARIABLE",
            help="slack, teams or webhook, and the variable with its URL; or TYPE/NAME of a block of your own; "
            "none: nobody any more.",
        ),
    ] = [],  # noqa: B006
    only: Annotated[list[str], typer.Option("--only", metavar="NAME", help="Only this deployment.")] = [],  # noqa: B006
    zombie_after_s: Annotated[
        int | None, typer.Option("--zombie-after", help="Seconds of silence: the run crashed. [180]")
    ] = None,
    restarts: Annotated[int | None, typer.Option("--restarts", help="Of a run that crashed; 0: none. [3]")] = None,
    stuck_after_min: Annotated[
        float | None, typer.Option("--stuck-after", help="Minutes: the shard is stuck. [120]")
    ] = None,
    file: Annotated[Path, typer.Option("--file", help="The prefect.yaml.", show_default=False)] = FILE,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", help="Folder that runs of a process pool start in. [the one of this call]"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
) -> None:
    """Make a Prefect server ready: blocks, work pool, limits, deployments with schedules, automations.

    Given again it changes what differs and nothing else: an option that is left out stays as an earlier deploy had it
    (what the first one takes is in brackets below), and what was switched off in the UI stays off.

    Example: kodforge deploy --secret teacher-key=KODFORGE_API_KEY --notify slack=SLACK_URL --dry-run
    """
    from flows.deploying.deploy import deploy as run_deploy  # noqa: PLC0415 - Prefect takes two seconds to import

    values = {
        "pool": pool,
        "pool_type": pool_type,
        "image": image,
        "sandbox": sandbox,
        "secrets": _pairs(secret, "--secret"),
        "env": _pairs(env, "--env") | ({"KODFORGE_STORE": store} if store else {}),
        "notify": _notified(notify) if notify else None,
        "only": tuple(only),
        "zombie_after_s": zombie_after_s,
        "restarts": restarts,
        "stuck_after_min": stuck_after_min,
        "file": file,
        "directory": directory.absolute() if directory else None,
    }
    try:
        options = DeployOptions.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        raise BadInput(describe(error)) from error
    run_deploy(options, dry_run, Console())


def _notified(given: list[str]) -> dict[str, str]:
    """Who hears of trouble, and the variables with the URLs; empty for a block that is there.

    Raises:
        BadInput: one is not of that form, or `none` has company.
    """
    if "none" in given:
        if len(given) > 1:
            raise BadInput(f"--notify none does not go with {', '.join(one for one in given if one != 'none')}")
        return {}
    own_blocks = [kind for kind in given if "/" in kind and "=" not in kind]
    return dict.fromkeys(own_blocks, "") | _pairs([kind for kind in given if kind not in own_blocks], "--notify")


def _pairs(given: list[str], option: str) -> dict[str, str]:
    """What an option that may be repeated was given as NAME=VALUE.

    Raises:
        BadInput: one is not of that form.
    """
    pairs = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not (name and equals and value):
            raise BadInput(f"{option} {item!r} is not NAME=VALUE. See kodforge deploy --help")
        pairs[name] = value
    return pairs
