"""`antiphon vllm MODEL …`: vLLM's own server with this API in it, in one command.

Flags are `vllm serve`'s and are passed on as they are, but for those named here. Settings come from the environment
and from the TOML file that `--config` names; a file of another kind given by that flag is vLLM's.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import NoReturn

from msgspec import Struct

from antiphon.config.sources import load
from antiphon.errors import SetupError
from antiphon.vllm_versions import ANY_VERSION, check_version, installed_version, version_lines

NAME = "antiphon"
PLUGINS = "VLLM_PLUGINS"
SUMMARY = "Serve a model by vLLM, with this API in place of its own."
USAGE = f"""\
usage: antiphon vllm MODEL [flags of vllm serve]

{SUMMARY}

  --config FILE.toml  the file of Antiphon's settings; any other file is vLLM's
  --any-version       try a version of vLLM that is not listed
  --help-versions     list the versions of vLLM that are supported
  --help              this text; `vllm serve --help` lists the other flags

Whatever else is given goes to `vllm serve`. Antiphon's settings also come from the environment."""

# An allow-list that names nobody lets all of these in; endpoint plugins have to be named in any case.
_GROUPS = (
    "vllm.general_plugins",
    "vllm.platform_plugins",
    "vllm.io_processor_plugins",
    "vllm.stat_logger_plugins",
)


class Call(Struct, frozen=True):
    """What the command line asks for. `passed` is for `vllm serve`."""

    passed: Sequence[str]
    config: Path | None = None
    any_version: bool = False
    wants_versions: bool = False
    wants_help: bool = False


def parse(arguments: Sequence[str]) -> Call:
    """Take our flags out. Raises: SetupError for a `--config` without a file."""
    passed: list[str] = []
    config: Path | None = None
    waiting = iter(arguments)
    for each in waiting:
        flag, given, value = each.partition("=")
        if flag != "--config":
            passed.append(each)
            continue
        file = value if given else next(waiting, None)
        if not file:
            raise SetupError("--config needs a file.")
        if file.endswith(".toml"):
            config = Path(file)
        else:
            passed += [flag, file]
    ours = {"--any-version", "--help-versions"}
    return Call(
        passed=[each for each in passed if each not in ours and each not in ("-h", "--help")],
        config=config,
        any_version="--any-version" in passed,
        wants_versions="--help-versions" in passed,
        wants_help="-h" in passed or "--help" in passed or not passed,
    )


def allowed_plugins(given: str | None, installed: Sequence[str]) -> str:
    """The list for `VLLM_PLUGINS`: what it names and us; where it is not set, whatever is `installed` stays allowed."""
    names = installed if given is None else [name for each in given.split(",") if (name := each.strip())]
    return ",".join(dict.fromkeys([*names, NAME]))


def environment(call: Call, outer: Mapping[str, str]) -> dict[str, str]:
    """What vLLM is started with. Raises: ConfigError when the settings cannot be used."""
    inner = dict(outer)
    inner[PLUGINS] = allowed_plugins(
        outer.get(PLUGINS), [point.name for group in _GROUPS for point in entry_points(group=group)]
    )
    if call.config is not None:
        inner["ANTIPHON_CONFIG"] = str(call.config.absolute())
    if call.any_version:
        inner[ANY_VERSION] = "1"
    load({}, inner)
    return inner


def run(
    arguments: Sequence[str],
    *,
    say: Callable[[str], None] = print,
    start: Callable[[str, list[str], Mapping[str, str]], NoReturn] = os.execve,
) -> int:
    """Become vLLM's server, or print what is asked for. Raises: SetupError."""
    call = parse(arguments)
    if call.wants_versions:
        say("\n".join(version_lines()))
        return 0
    if call.wants_help:
        say(USAGE)
        return 0
    found = installed_version()
    if found is None:
        raise SetupError("vLLM is not installed in this environment. Install it with:\n\npip install 'antiphon[vllm]'")
    inner = environment(call, os.environ)
    check_version(found, any_version=inner.get(ANY_VERSION) == "1")
    start(sys.executable, [sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", *call.passed], inner)
