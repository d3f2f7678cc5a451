"""The examples for the official Python SDK run as they are, and print what they should."""

import os
import subprocess
import sys

import pytest

from tests.clients.installation import EXAMPLES
from tests.clients.serving import KEY, PLAIN, Meeting

RUN_S = 60.0
PRINTED = {
    "streaming": ["streamed: Echo: Tell me of the sea.", "resumed: response.completed"],
    "tool_loop": ['answer: The tool answered: "4 degrees in Oslo"'],
    "live_tools": ["delivered: 1", 'answer: The tool answered: "4 degrees in Oslo"'],
    "background": [
        "begun: queued",
        "ended: completed",
        "answer: Echo: Write a long report.",
        "stream: response.created to response.completed",
    ],
}


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_an_example_runs_as_it_is(name: str, server: Meeting) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "openai-python" / f"{name}.py")],
        env={
            "PATH": os.environ["PATH"],
            "OPENAI_BASE_URL": server.live.base_url,
            "OPENAI_API_KEY": KEY,
            "MODEL": PLAIN,
            "NO_PROXY": "*",
        },
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == PRINTED[name]


def test_every_example_is_run() -> None:
    assert {path.stem for path in (EXAMPLES / "openai-python").glob("*.py")} == set(PRINTED)
