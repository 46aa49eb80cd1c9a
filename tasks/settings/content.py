"""What becomes of rows whose texts hold something a reader should know of."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.settings.section import Section

Reaction = Literal["ignore", "note", "caution", "reject"]
"""``note``: told on the row, and nothing more; ``caution``: the row goes into ``use_with_caution``."""


class Content(Section):
    """A reaction per rule: what is not found is not there, as far as a scanner that executes nothing can tell."""

    secret: Reaction = Field(
        "reject", description="Token of a known issuer, private key, or random value given as one."
    )
    password: Reaction = Field("caution", description="Other literal given as password or key.")
    test_secret: Reaction = Field("note", description="Literal given as one that says of itself that it is none.")
    random_string: Reaction = Field("note", description="Literal that looks random: a key, or an expected digest.")
    email: Reaction = Field("caution", description="Address that somebody may have.")
    phone: Reaction = Field("caution", description="Valid number with its country's code.")
    ip_address: Reaction = Field("note", description="Public IPv4 address.")
    offensive: Reaction = Field("caution", description="Slurs and swear words, in names too.")
    network: Reaction = Field(
        "caution",
        description="Code that reaches for the network; no more than a note where the question asks for it.",
    )
    deletes_files: Reaction = Field("reject", description="Code that deletes outside its folder.")
    deletes_unknown: Reaction = Field("note", description="Code that deletes a path which the code does not tell.")
    writes_outside: Reaction = Field("caution", description="Code that writes outside its folder.")
    shell: Reaction = Field("note", description="Code that starts other programs.")
    runs_code: Reaction = Field("note", description="Code that runs data: eval, exec, pickle.")
