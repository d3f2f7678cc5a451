"""The official JavaScript client, unmodified, run by node."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import Live

HERE = Path(__file__).parent / "node"
FILES = ("package.json", "package-lock.json", "session.mjs", "azure.mjs")
pytestmark = pytest.mark.needs("npm")

INSTALL_S, RUN_S = 120, 60
CASES = (
    "create raw_stream stream_helper resume refusal structured tool_loop own_tools pages errors failed_stream "
    "conversations delete_and_models"
).split()
AZURE_CASES = ("dated", "deployment", "v1")


@pytest.fixture(scope="session")
def installed(pytestconfig: pytest.Config) -> Path:
    """A folder with the script and the client it needs, made once per version of its lock file."""
    digest = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:16]
    assert pytestconfig.cache is not None
    folder = pytestconfig.cache.mkdir(f"node-{digest}")
    for name in FILES:
        shutil.copy(HERE / name, folder / name)
    if not (folder / "node_modules" / "openai" / "package.json").exists():
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        assert done.returncode == 0, done.stderr
    return folder


def run(folder: Path, *arguments: str, script: str = "session.mjs") -> str:
    """What a script prints; it must end well."""
    done = subprocess.run(
        ["node", script, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    print(done.stderr, file=sys.stderr)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_case_of_the_script_is_left_out(installed: Path) -> None:
    assert run(installed, "http://127.0.0.1:9/v1", "key", "list").split() == CASES
    listed = run(installed, "http://127.0.0.1:9", "key", "list", script="azure.mjs")
    assert tuple(listed.split()) == AZURE_CASES


@pytest.mark.parametrize("case", CASES)
def test_the_javascript_client(installed: Path, live: Live, case: str) -> None:
    run(installed, live.base_url, "sk-test", case)


@pytest.mark.parametrize("case", AZURE_CASES)
def test_the_javascript_client_of_azure(installed: Path, live: Live, case: str) -> None:
    run(installed, live.origin, "sk-test", case, script="azure.mjs")
