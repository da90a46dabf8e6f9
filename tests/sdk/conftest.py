"""A router and simulated providers as processes of their own, on free ports, for the SDKs to talk to."""

import os
import pathlib
import socket
import subprocess
import time

import httpx
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("WEIGHBRIDGE_BIN_DIR", ROOT / "target" / "debug"))
HERE = pathlib.Path(__file__).resolve().parent
MASTER_KEY = "sk-master"


class Process:
    """A program that listens, its log kept for when a test fails."""

    def __init__(self, command, log, ready, environment=None):
        self.log = log
        with open(log, "wb") as out:
            self.popen = subprocess.Popen(
                [str(part) for part in command],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={"PATH": os.environ["PATH"], **(environment or {})},
            )
        self._wait_for(ready)

    def _wait_for(self, url):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                if httpx.get(url, timeout=1).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            if self.popen.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"{url} is not ready:\n{self.log.read_text()}")

    def stop(self):
        self.popen.terminate()
        try:
            self.popen.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Providers:
    """What the simulated providers have seen."""

    def __init__(self, url):
        self.url = url

    def calls(self, name):
        return httpx.get(f"{self.url}/admin/{name}/report").json()["requests"]

    def last(self, name):
        return httpx.get(f"{self.url}/admin/{name}/requests").json()[-1]


@pytest.fixture(scope="session")
def providers(tmp_path_factory):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("fakellm") / "log"
    command = [BINARIES / "fakellm", "--listen", f"127.0.0.1:{port}", "--script", HERE / "providers.yaml"]
    process = Process(command, log, f"{url}/health")
    yield Providers(url)
    process.stop()


def start_router(tmp_path_factory, providers, extra="", file="router_config.yaml"):
    directory = tmp_path_factory.mktemp("router")
    config = directory / "router_config.yaml"
    config.write_text((HERE / file).read_text().replace("PROVIDERS", providers.url) + extra)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [BINARIES / "weighbridge", "serve", "--config", config, "--listen", f"127.0.0.1:{port}"]
    return url, Process(command, directory / "log", f"{url}/health/ready")


@pytest.fixture(scope="session")
def router(tmp_path_factory, providers):
    """The router's URL. The data plane is open."""
    url, process = start_router(tmp_path_factory, providers)
    yield url
    process.stop()


@pytest.fixture(scope="session")
def guarded_router(tmp_path_factory, providers):
    """The URL of a router with a master key."""
    url, process = start_router(tmp_path_factory, providers, f"\ngeneral_settings: {{ master_key: {MASTER_KEY} }}\n")
    yield url
    process.stop()


@pytest.fixture(scope="session")
def formats(tmp_path_factory, providers):
    """The URL of a router with a model for each format that providers have."""
    url, process = start_router(tmp_path_factory, providers, file="formats.yaml")
    yield url
    process.stop()
