"""The command `antiphon`."""

import argparse
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from antiphon import (
    access,
    assembly,
    data_command,
    doctor_command,
    installation,
    keys_command,
    usage_command,
    vllm_command,
)
from antiphon.audit import recorded
from antiphon.build import version_text
from antiphon.config.flags import add_flags
from antiphon.config.settings import Row, rows, written
from antiphon.config.sources import ConfigError, Loaded, load_given
from antiphon.config.values import suggestion
from antiphon.coverage.command import add_coverage_command
from antiphon.errors import SetupError
from antiphon.upstreams import effective_tables

FAILURE, MISUSE, INTERRUPTED = 1, 2, 130

_SETTINGS_NOTE = """\
Each setting is a flag, an environment variable and a key of the TOML file that --config names:
--max-body-bytes 64MB, ANTIPHON_MAX_BODY_BYTES=64MB, max_body_bytes = "64MB".
A flag wins over the environment, the environment over the file."""

_COMMANDS_NOTE = """\
ways to run:
  antiphon setup && antiphon serve                  the built-in model, in this process
  antiphon serve --engine http://127.0.0.1:8000/v1  in front of vLLM or any chat-completions server
  antiphon vllm MODEL [flags of vllm serve]         inside vLLM's own server
  antiphon serve --engine scripted                  predictable answers without a model

`antiphon serve --help` lists every setting."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 for a failure, 2 for a wrong call or configuration."""
    given = sys.argv[1:] if argv is None else argv
    arguments = argparse.Namespace(run=_vllm, rest=given[1:]) if given[:1] == ["vllm"] else _parser().parse_args(given)
    arguments.given = given
    try:
        code: int = arguments.run(arguments)
        return code
    except ConfigError as error:
        return _complain(error.problems, MISUSE)
    except SetupError as error:
        return _complain([str(error)], FAILURE)
    except KeyboardInterrupt:
        return INTERRUPTED


def serve(arguments: argparse.Namespace) -> int:
    """Serve until told to stop."""
    loaded = _load(arguments)
    _check_access(loaded)
    if loaded.settings.workers > 1:
        from antiphon.supervisor import supervise  # not on Windows, which has no such signals

        return supervise(loaded.settings, arguments.given[1:], _say)
    assembly.run(loaded.settings, lambda: _load(arguments).settings)
    return 0


def setup(arguments: argparse.Namespace) -> int:
    """Install the embedded engine and the built-in model, or repair them."""
    settings = _load(arguments).settings
    installation.set_up(settings.data_dir, source=arguments.source, say=_say, verify=arguments.verify)
    return 0


def check(arguments: argparse.Namespace) -> int:
    """Print every effective setting and where it came from, then the tables of the file."""
    loaded = _load(arguments)
    _check_access(loaded)
    lines = [(row.name, _effective(row, loaded), loaded.origins[row.name]) for row in rows()]
    name_width, value_width = (max(len(line[column]) for line in lines) for column in (0, 1))
    for name, value, where in lines:
        print(f"{name:<{name_width}}  {value:<{value_width}}  {where}")
    for name, value in effective_tables(loaded.settings):
        print(f"{name}  {value}")
    return 0


def _vllm(arguments: argparse.Namespace) -> int:
    """Become vLLM's server. Its flags are not ours to know, so they are kept from our parser."""
    return vllm_command.run(arguments.rest)


def data(arguments: argparse.Namespace) -> int:
    """Export, erase, copy or restore what is stored."""
    settings = _load(arguments).settings
    file = str(named) if (named := getattr(arguments, "file", None) or getattr(arguments, "output", None)) else None
    with recorded(settings.audit_file, f"data.{arguments.verb}", tenant=getattr(arguments, "tenant", None), file=file):
        arguments.act(arguments, settings.data_dir, _say)
    return 0


def usage(arguments: argparse.Namespace) -> int:
    """Print who used how much."""
    settings = _load(arguments).settings
    try:
        usage_command.report(arguments, settings.data_dir, settings.tables.prices, _say)
    except ValueError as error:
        return _complain([str(error)], MISUSE)
    return 0


def doctor(arguments: argparse.Namespace) -> int:
    """Examine a model server and print what was found."""
    try:
        return doctor_command.run(arguments, _say)
    except SetupError as error:
        return _complain([str(error)], doctor_command.UNREACHABLE)


def keys(arguments: argparse.Namespace) -> int:
    """Make, list and revoke API keys."""
    keys_command.run(arguments, _load(arguments).settings, _say)
    return 0


def version(_: argparse.Namespace) -> int:
    """Print the version."""
    print(f"antiphon {version_text()} (Python {platform.python_version()}, {platform.system()} {platform.machine()})")
    return 0


def _effective(row: Row, loaded: Loaded) -> str:
    value = getattr(loaded.settings, row.name)
    untouched = loaded.origins[row.name] == "default" and not isinstance(value, Path)
    return row.default_text if untouched else written(value)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with one line and the exit code for a wrong call."""
        unknown = message.removeprefix("unrecognized arguments: ")
        near = suggestion(unknown.split("=")[0].split()[0], _flags()) if unknown != message else ""
        self.exit(MISUSE, f"{self.prog}: {message}{near} (see {self.prog} --help)\n")


def _flags() -> list[str]:
    return ["--config", "--from", "--verify", *(row.flag for row in rows())]


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="antiphon",
        description="The OpenAI Responses API for models you host yourself.",
        epilog=_COMMANDS_NOTE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"antiphon {version_text()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)

    def add(name: str, summary: str, **more: object) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=summary[0].lower() + summary[1:].rstrip("."),
            description=summary,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.set_defaults(**more)
        return command

    serving = add("serve", "Serve the Responses API until told to stop.", run=serve)
    serving.usage, serving.epilog = "antiphon serve [settings]", _SETTINGS_NOTE
    add_flags(serving)
    installing = add(
        "setup", "Install the embedded engine and the built-in model; repair them by rerunning.", run=setup
    )
    installing.add_argument(
        "--from", dest="source", type=Path, metavar="DIR", help="take the files from this directory, not the network"
    )
    installing.add_argument("--verify", action="store_true", help="hash the model even if it was found whole before")
    add_flags(installing, only=["data_dir"])
    checking = add("check", "Check the configuration and print every effective setting.", run=check)
    checking.usage, checking.epilog = "antiphon check [settings]", _SETTINGS_NOTE
    add_flags(checking)
    keeping = add("data", "Export, erase, back up and restore what is stored.", run=data)
    data_command.add_verbs(keeping, lambda verb: add_flags(verb, only=["data_dir", "audit_log"]))
    locking = add("keys", "Make, list and revoke API keys that are kept in the store.", run=keys)
    keys_command.add_verbs(locking, lambda verb: add_flags(verb, only=["data_dir", "audit_log"]))
    add_coverage_command(add)
    add("vllm", vllm_command.SUMMARY, run=_vllm, rest=())
    examining = add("doctor", doctor_command.SUMMARY, run=doctor)
    doctor_command.add_arguments(examining)
    counting = add("usage", "Print who used how many tokens, and what they cost.", run=usage)
    usage_command.add_arguments(counting)
    add_flags(counting, only=["data_dir"])
    add("version", "Print the version.", run=version)
    return parser


def _load(arguments: argparse.Namespace) -> Loaded:
    loaded = load_given(arguments)
    for warning in loaded.warnings:
        print(f"antiphon: warning: {warning}", file=sys.stderr)
    return loaded


def _check_access(loaded: Loaded) -> None:
    """Raises: ConfigError."""
    problems = [f"{loaded.origins[name]}: {problem}" for name, problem in access.problems(loaded.settings)]
    if problems:
        raise ConfigError(problems)


def _say(line: str) -> None:
    print(line, flush=True)


def _complain(lines: Sequence[str], code: int) -> int:
    for line in lines:
        print(f"antiphon: {line}", file=sys.stderr)
    return code
