"""What the library says of its arguments, in the words of the command line."""

from __future__ import annotations

import re

__all__ = ["in_options"]

_EVERYWHERE = (
    (r"\bmax_retracted_share\b", "--max-retracted-share"),
    (r"(?<![\w-])columns=", "--columns"),
    (r"(?<![\w-])ignored=", "--ignore"),
    (r"(?<![\w-])delimiter=", "--delimiter"),
    (r"(?<![\w-])hash_type=", "--hash-type"),
    (r"(?<![\w-])header=False", "--no-header"),
    (r"\bin columns or in ignored\b", "in --columns or --ignore"),
    (r"\bin retracted_values\b", "in --withdrawn"),
    (r"(^|: )columns: ", r"\1--columns: "),
    (r"^delimiter: ", "--delimiter: "),
    (
        r"another Index has it open for writing; open it with read_only=True, or close that",
        "another process has this list open for writing: wait for it, and try again",
    ),
)
_OF_COMMAND = {
    "sign": (
        (r"\bbase_version\b", "--since"),
        (r"^(old|since): ", "--since: "),
        (r"\bexpires_at\b", "--expires"),
        (r"\bcreated_at\b", "now"),
    ),
    "diff": ((r"^old: ", "OLD: "), (r"^new: ", "NEW: ")),
    "import": ((r"^source: ", "--source: "), (r"^feed: ", "--feed: ")),
    "add": ((r"^source: ", "--source: "), (r"^record_id: ", "--id: ")),
}


def in_options(text: str, command: str | None) -> str:
    """Return a message with the options of a command in the place of arguments."""
    for pattern, option in (*_EVERYWHERE, *_OF_COMMAND.get(command or "", ())):
        text = re.sub(pattern, option, text)
    return text
