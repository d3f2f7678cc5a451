"""The guides in docs/ do what they say: every block is run, and what it prints is what the page shows.

The blocks of one language on one page are one program, in their order. A `text` block behind a block that is run is its
output, where `…` stands for anything and an id for any id.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from tests.command import ROOT, START_S, Started, environment, run, started

DOCS = ROOT / "docs"
GUIDES = sorted(
    DOCS / f"{name}.md"
    for name in (
        "index responses conversations compaction background live-tools tools websocket errors headers azure "
        "troubleshooting streams metrics migration compatibility"
    ).split()
)
ORIGIN = "127.0.0.1:8400"
MARK = "\x1e"
ID = re.compile(r"\b(resp|msg|rs|fc|ctc|fco|call|req)_\d+\b")
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")


class Block(Struct, frozen=True):
    """Code on a page, and what it must print; None where the page does not say."""

    language: str
    code: str
    output: str | None

    @property
    def is_serve(self) -> bool:
        return self.code.startswith("antiphon serve")


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    following = [*found[1:], ("", "")]
    return [
        Block(language, code, output if after == "text" else None)
        for (language, code), (after, output) in zip(found, following, strict=True)
    ]


def programs(language: str) -> list[object]:
    """The pages with a program in this language."""
    kept = [(page, [each for each in blocks(page) if each.language == language]) for page in GUIDES]
    return [
        pytest.param([each for each in found if not each.is_serve], id=page.name)
        for page, found in kept
        if any(not each.is_serve for each in found)
    ]


SERVE = [
    pytest.param(line, id=f"{page.stem}-{line}")
    for page in GUIDES
    for block in blocks(page)
    if block.is_serve
    for line in block.code.splitlines()
]


@pytest.fixture(scope="module")
def server() -> Iterator[Started]:
    with started("--engine", "scripted") as server:
        yield server


@pytest.mark.needs("curl")
@pytest.mark.parametrize("program", programs("sh"))
def test_the_commands_of_a_page_print_what_it_shows(program: list[Block], server: Started) -> None:
    check(["sh", "-euc"], program, f"printf '{MARK}'\n", server)


@pytest.mark.parametrize("program", programs("python"))
def test_the_python_of_a_page_prints_what_it_shows(program: list[Block], server: Started) -> None:
    check([sys.executable, "-c"], program, f"print({MARK!r}, end='', flush=True)\n", server)


@pytest.mark.parametrize("line", SERVE)
def test_a_serve_command_has_flags_that_are_right(line: str) -> None:
    ended = run("check", *shlex.split(line.removeprefix("antiphon serve"), comments=True))
    assert (ended.returncode, ended.stderr) == (0, "")


def test_every_kind_of_block_is_run_or_is_shown() -> None:
    assert {each.language for page in GUIDES for each in blocks(page)} == {"sh", "python", "text", "mermaid"}


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / path if path else page
        assert target.is_file(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


def check(command: list[str], program: list[Block], mark: str, server: Started) -> None:
    """Run the blocks as one program, and compare what each of them printed."""
    code = "".join(f"{block.code}\n{mark}" for block in program).replace(ORIGIN, server.origin.removeprefix("http://"))
    ended = subprocess.run([*command, code], env=environment(), capture_output=True, text=True, timeout=START_S)
    assert ended.returncode == 0, ended.stderr
    printed = ended.stdout.split(MARK)[:-1]
    for block, found in zip(program, printed, strict=True):
        is_right = block.output is None or pattern(block.output).fullmatch(found.strip()) is not None
        assert is_right, f"{block.code}\nprinted:\n{found}"


def pattern(output: str) -> re.Pattern[str]:
    """What a shown output stands for."""
    pieces = (re.escape(ID.sub(r"\1_0", piece)) for piece in output.strip().split("…"))
    return re.compile(ID.sub(r"\1_[0-9a-f]+", ".*?".join(pieces)), re.DOTALL)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
