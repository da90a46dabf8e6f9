"""The load balance demo against a running router. What it prints is held against what the providers have seen."""

import re
import subprocess
import sys
import time

import httpx
import pytest
from conftest import ROOT, free_port, start_router

FIRST, SECOND = "demo-first", "demo-second"


def demo(urls, providers, *args, first=FIRST, second=SECOND):
    """Runs the demo; what it printed, its exit code, and the calls that each provider got."""
    before = [providers.calls(name) for name in (first, second)]
    command = [sys.executable, ROOT / "examples" / "load_balance_demo.py", *args]
    command += [f"--base-url={url}/v1" for url in urls]
    command += [f"--ollama={providers.url}/{first}", f"--openai={providers.url}/{second}/v1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert not done.stderr, done.stderr
    after = [providers.calls(name) for name in (first, second)]
    return done.stdout, done.returncode, tuple(b - a for a, b in zip(before, after))


@pytest.mark.parametrize(
    ("scenario", "calls"),
    [
        ("round-robin", {(3, 3)}),
        ("weighted", {(2, 8), (3, 7)}),
        ("distribution", {(10, 10)}),
        ("fallback", {(0, 4)}),
        ("canary", {(18, 2)}),
    ],
)
def test_shares_are_exact(router, providers, scenario, calls):
    printed, code, seen = demo([router], providers, "--scenario", scenario)
    assert code == 0, printed
    assert seen in calls, printed
    if scenario in ("round-robin", "distribution"):
        assert "deviation from 50 %: 0.0 points" in printed


def test_users_stay_put(router, providers):
    printed, code, seen = demo([router], providers, "--scenario", "sticky")
    assert code == 0 and sum(seen) == 20, printed
    # Each user on one line: user, provider, target, deployment, place, wanted, got.
    users = re.findall(r"^  (ada|alan|edsger|grace) .* -  +(\d+) ", printed, re.MULTILINE)
    assert sorted(users) == [(name, "5") for name in ("ada", "alan", "edsger", "grace")], printed


def test_the_environment_may_name_the_router(router, providers, monkeypatch):
    monkeypatch.setenv("PORTKEY_GATEWAY_URL", router)
    printed, code, seen = demo([], providers, "--scenario", "round-robin")
    assert (code, seen) == (0, (3, 3)), printed


def test_a_broken_upstream_is_no_success(router, providers):
    printed, code, _ = demo([router], providers, "--scenario", "distribution", second="demo-down")
    assert code == 1, printed
    assert "10 failed" in printed and "deviation from 50 %: 50.0 points" in printed
    assert "0 of 1 scenarios kept their promise" in printed


@pytest.fixture
def fleet(tmp_path_factory, providers):
    """The URLs of three replicas that share a Redis."""
    port = free_port()
    log = tmp_path_factory.mktemp("redis") / "log"
    redis = subprocess.Popen(
        ["redis-server", "--port", str(port), "--save", "", "--bind", "127.0.0.1"], stdout=log.open("wb")
    )
    state = f"\nstate: {{ redis: {{ url: 'redis://127.0.0.1:{port}' }} }}\nserver: {{ drain_delay: 0 }}\n"
    replicas = [start_router(tmp_path_factory, providers, state) for _ in range(3)]
    urls = [url for url, _ in replicas]
    deadline = time.monotonic() + 20
    while any(httpx.get(f"{url}/health").json()["mode"] != "shared" for url in urls):
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    yield urls
    for _, process in replicas:
        process.stop()
    redis.terminate()
    redis.wait()


def test_all_scenarios_are_exact_over_a_fleet(fleet, providers):
    printed, code, _ = demo(fleet, providers)
    assert code == 0 and "6 of 6 scenarios kept their promise" in printed, printed
    assert printed.count("deviation from 50 %: 0.0 points") == 2, printed
