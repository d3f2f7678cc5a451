"""Every example runs as it is, and what it prints and sends is right.

Each does the same with another client: a plain answer, a streamed one, a tool loop of either kind, a second turn whose
history is the server's or the client's, structured output. The first run installs what an example needs.
"""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.clients.installation import EXAMPLES, install_node, install_python
from tests.clients.serving import KEY, KNOWN, PLAIN, Meeting, spoken

RUN_S = 60.0
PRINTED = {
    "plain": "Echo: Name a colour.",
    "streamed": "Echo: Name a fruit.",
    "tool": 'The tool answered: "4 degrees in Oslo"',
    "streamed tool": 'The tool answered: "4 degrees in Rome"',
    "chained": "Echo: Say it backwards.",
    "replayed": "Echo: Spell it.",
    "stateless": "Echo: Sing it.",
    "structured": "Oslo",
}
# The second question of each conversation, and what the first was.
FIRST_SAID = {
    "Say it backwards.": "My name is Ada.",
    "Spell it.": "My name is Bob.",
    "Sing it.": "My name is Eve.",
}
IN_NODE = ("vercel-ai-sdk", "openai-agents-js", "langchain-js")
IN_PYTHON = ("openai-agents-python", "langchain-python", "pydantic-ai", "llamaindex")
QUICK = ("vercel-ai-sdk",)
# Asks for no reasoning.
WITHOUT_REASONING = ("llamaindex",)


def cases() -> list[object]:
    """Every example with a model's name that its client knows, and with one that it does not."""
    needs_npm = pytest.mark.needs("npm")
    return [
        pytest.param(
            name,
            model,
            id=f"{name}-{model}",
            marks=[*([needs_npm] if name in IN_NODE else []), *([] if name in QUICK else [pytest.mark.slow])],
        )
        for name in (*IN_NODE, *IN_PYTHON)
        for model in (PLAIN, KNOWN)
    ]


@pytest.mark.parametrize(("name", "model"), cases())
def test_an_example_runs_as_it_is(name: str, model: str, server: Meeting, tmp_path: Path) -> None:
    server.engine.chats.clear()
    printed = dict(line.split(": ", 1) for line in run(command(name), server, model, tmp_path).splitlines())

    assert printed == {case: PRINTED[case] for case in printed}
    assert list(printed) == sections(name)
    assert {chat.model for chat in server.engine.chats} == {model}
    for question in questions(printed):
        history = server.asked(question).messages
        first = FIRST_SAID[question]
        assert spoken(history) == [("user", first), ("assistant", f"Echo: {first}"), ("user", question)]
    if model == KNOWN and name not in WITHOUT_REASONING:
        assert server.asked("Spell it.").messages[-2].reasoning == "Thinking about: My name is Bob."


def test_every_example_is_run() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    assert folders == {*IN_NODE, *IN_PYTHON, "codex", "opencode", "openai-python"}


def questions(printed: dict[str, str]) -> list[str]:
    return [question for question in FIRST_SAID if f"Echo: {question}" in printed.values()]


def sections(name: str) -> list[str]:
    """What an example's source says that it prints, in order; what all clients have is not left out."""
    script = next((EXAMPLES / name).glob("example.*"))
    found = re.findall(r"(?:print\(|log\(|write\()\"([a-z ]+): ?\"", script.read_text(encoding="utf-8"))
    assert set(PRINTED) - set(found) <= {"stateless"}
    return found


def command(name: str) -> Sequence[str]:
    """How the example is run, with what it needs installed."""
    if name in IN_NODE:
        return "node", str(install_node(name) / "example.mjs")
    return str(install_python(name)), str(EXAMPLES / name / "example.py")


def run(command: Sequence[str], server: Meeting, model: str, home: Path) -> str:
    """What the example prints; it must end well."""
    done = subprocess.run(
        command,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "NO_PROXY": "*",
            "OPENAI_BASE_URL": server.live.base_url,
            "OPENAI_API_KEY": KEY,
            "MODEL": model,
        },
        cwd=home,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
