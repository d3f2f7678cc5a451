"""`antiphon data`: what is stored, taken out, erased, copied and put back, beside running servers."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from antiphon.stores import archive
from antiphon.stores.backup import DATABASE, back_up, restore

Say = Callable[[str], None]


def add_verbs(command: argparse.ArgumentParser, add_settings: Callable[[argparse.ArgumentParser], None]) -> None:
    """The verbs of `antiphon data`; each sets `act`, which is given the data directory."""
    verbs = command.add_subparsers(title="verbs", metavar="VERB", required=True)

    def add(name: str, about: str, act: Callable[[argparse.Namespace, Path, Say], None]) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, help=about[0].lower() + about[1:].rstrip("."), description=about)
        verb.set_defaults(act=act, verb=name)
        add_settings(verb)
        return verb

    exporting = add("export", "Write a tenant's responses, conversations and prompts as lines of JSON.", _export)
    exporting.add_argument("--tenant", required=True, help="whose")
    exporting.add_argument("--output", type=Path, metavar="FILE", help="where to; standard output if not given")
    erasing = add("erase", "Erase everything a tenant has stored, for good.", _erase)
    erasing.add_argument("--tenant", required=True, help="whose")
    erasing.add_argument("--yes", action="store_true", required=True, help="say that you mean it")
    copying = add("backup", "Copy the store and its keys into one file, while servers run.", _back_up)
    copying.add_argument("file", type=Path, metavar="FILE", help="the file to make")
    restoring = add("restore", "Put a backup in place, while no server runs.", _restore)
    restoring.add_argument("file", type=Path, metavar="FILE", help="a file that `antiphon data backup` made")
    restoring.add_argument("--force", action="store_true", help="replace the store that is there")


def _export(arguments: argparse.Namespace, data_dir: Path, _: Say) -> None:
    lines = archive.export(data_dir / DATABASE, arguments.tenant)
    if arguments.output is None:
        sys.stdout.buffer.writelines(line + b"\n" for line in lines)
        return
    with arguments.output.open("wb") as file:
        file.writelines(line + b"\n" for line in lines)


def _erase(arguments: argparse.Namespace, data_dir: Path, say: Say) -> None:
    erased = archive.erase(data_dir / DATABASE, arguments.tenant)
    say(f"Erased {erased.responses} responses and {erased.conversations} conversations of {arguments.tenant}.")


def _back_up(arguments: argparse.Namespace, data_dir: Path, say: Say) -> None:
    back_up(data_dir, arguments.file)
    say(f"Wrote {arguments.file} ({arguments.file.stat().st_size:,} bytes); it holds keys: keep it like them.")


def _restore(arguments: argparse.Namespace, data_dir: Path, say: Say) -> None:
    restore(arguments.file, data_dir, replaces=arguments.force)
    say(f"Restored {data_dir / DATABASE}.")
