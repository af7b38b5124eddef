"""The entry point: finds the commands and turns errors into messages."""

from __future__ import annotations

import importlib
import io
import sys
import traceback
import warnings
from typing import Any

import click

from fingerprint.errors import FingerprintError

__all__ = ["cli", "main"]

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130

_COMMANDS = {
    "algorithms": "List the hash algorithms and the index backends.",
    "audit": "Verify the log of what was screened.",
    "calibrate": "Measure which radius gives how many false matches.",
    "compare": "Say how far apart two pictures are.",
    "dedupe": "Find the near-duplicates in a folder.",
    "demo": "Index photographs, edit them, and find them again.",
    "evaluate": "Measure how far hashes survive editing, on your own pictures.",
    "hash": "Hash pictures.",
    "index": "Keep hashes under ids and look up what is near.",
    "list": "Keep hash lists: import, sync, sign, retract, and look into them.",
    "screen": "Look uploads up in hash lists, by a policy.",
    "transforms": "List the edits that robustness is measured with, or draw them.",
    "verify": "Compare two pictures by their local features.",
    "video": "Hash videos, and find which seconds of one are in another.",
    "views": "List the views by which edited pictures are found, or draw them.",
    "warmup": "Compile the kernels, so that nobody waits for it later.",
}


class _Commands(click.Group):
    """Imports a command's module when it is called: start-up stays short."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"fingerprint.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fingerprint")
def cli() -> None:
    """Recognise known pictures and videos again by perceptual hashes.

    Exit status: 0 when all went well, 1 when the answer is no (nothing matched, the
    pictures differ), 2 on an error or when a picture or video could not be read. Of
    `screen`: 0 when nothing matched, 1 when something did; see its help.
    """


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    click.echo(f"warning: {message}", err=True)


def main() -> None:
    """Run the command line; no traceback for what a user can put right."""
    warnings.showwarning = _show_warning
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # File names need not be UTF-8.
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_ERROR)
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain at exit.
        sys.stdout = None
        sys.exit(0)
    except (FingerprintError, OSError) as error:
        from fingerprint.cli.common import printable  # A file's name may hold escapes.

        lines = map(printable, str(error).splitlines())
        click.echo("fingerprint: " + "\n".join(lines), err=True)
        sys.exit(EXIT_ERROR)
    except Exception:  # noqa: BLE001 - the last resort
        # A bug. Python would exit with 1, which here means "nothing matched".
        traceback.print_exc()
        sys.exit(EXIT_ERROR)
    sys.exit(status if isinstance(status, int) else 0)
