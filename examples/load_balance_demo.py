#!/usr/bin/env python3
"""Load balances, a fallback and sticky sessions with Portkey's SDK, each held against what it promises.

With nothing but this checkout, in three terminals:

    cargo run --release -p weighbridge-fakellm     # simulated providers on :9001
    cargo run --release                            # a router on :8000
    pip install 'portkey-ai>=2,<3' && python examples/load_balance_demo.py

Two targets share the load: one by the name of Ollama, one by that of OpenAI. Which of them answered is told by the
header `x-portkey-provider`. For servers of your own:

    python examples/load_balance_demo.py --ollama http://localhost:11434 --openai http://localhost:8080/v1

Without --scenario all of them run. The exit code is 0 when every one kept its promise, 1 when one did not.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from portkey_ai import Portkey

DEFAULT_URL = "http://localhost:8000/v1"
USERS = ["ada", "grace", "alan", "edsger"]


@dataclass(frozen=True)
class Answer:
    """What came of one request."""

    provider: str
    group: str
    deployment: str
    place: str  # Where in the config the target stands.
    ms: float
    user: str | None
    error: str | None


@dataclass(frozen=True)
class Scenario:
    """Requests by one config, and what must come of them."""

    title: str
    requests: int
    config: Callable[[argparse.Namespace], dict]
    shares: dict[str, float]  # Of the requests, by provider.
    users: bool = False  # Requests are those of USERS in turn, and each must stay with one target.


def ollama(options, host=None, **members):
    """A target at an Ollama server, which needs no key and whose host is written without /v1."""
    model = {"model": options.ollama_model}
    return {"provider": "ollama", "custom_host": host or options.ollama, "override_params": model, **members}


def openai(options, **members):
    """A target at a server that speaks OpenAI's format."""
    target = {"provider": "openai", "api_key": options.openai_key, "custom_host": options.openai}
    return {**target, "override_params": {"model": options.openai_model}, **members}


def balance(first, second, **strategy):
    """A config that gives the two targets these weights."""

    def config(options):
        targets = [ollama(options, weight=first), openai(options, weight=second)]
        return {"strategy": {"mode": "loadbalance", **strategy}, "targets": targets}

    return config


def fallback(options):
    """A config whose first target cannot be reached."""
    return {"strategy": {"mode": "fallback"}, "targets": [ollama(options, host=options.broken), openai(options)]}


STICKY = {"enabled": True, "hash_fields": ["metadata.user_id"], "ttl": 600}
SCENARIOS = {
    "round-robin": Scenario("two equal targets", 6, balance(0.5, 0.5), {"ollama": 0.5, "openai": 0.5}),
    "weighted": Scenario("weights 25 and 75", 10, balance(0.25, 0.75), {"ollama": 0.25, "openai": 0.75}),
    "distribution": Scenario("50/50 over more requests", 20, balance(0.5, 0.5), {"ollama": 0.5, "openai": 0.5}),
    "fallback": Scenario("the first target is down", 4, fallback, {"ollama": 0, "openai": 1}),
    "canary": Scenario("one in ten to the new one", 20, balance(0.9, 0.1), {"ollama": 0.9, "openai": 0.1}),
    "sticky": Scenario("a user stays put", 20, balance(0.5, 0.5, sticky=STICKY), {}, users=True),
}


def ask(url, options, config, number, user):
    """Sends one request by a client of its own, as a web handler might."""
    metadata = {"user_id": user} if user else None
    fields = dict.fromkeys(["provider", "group", "deployment", "place"], "-")
    error = None
    client = Portkey(base_url=url, api_key=options.api_key, config=config, metadata=metadata)
    began = time.perf_counter()
    try:
        question = [{"role": "user", "content": f"Say hello, for the {number}. time."}]
        reply = client.chat.completions.create(model="any", messages=question, max_tokens=50)
        if not (reply.choices[0].message.content or "").strip():
            error = "the reply is empty"
        portkey = reply.get_headers()
        fields = {
            "provider": portkey.get("provider", "unknown"),
            "group": reply._headers.get("x-weighbridge-group", "-"),
            "deployment": reply._headers.get("x-weighbridge-deployment", "-"),
            "place": portkey.get("last-used-option-index", "-"),
        }
    # The SDK exports no class for what it raises.
    except Exception as raised:
        body = getattr(raised, "body", None)
        message = body.get("message") if isinstance(body, dict) else None
        error = f"{type(raised).__name__}: {message or raised}"
    return Answer(**fields, ms=(time.perf_counter() - began) * 1000, user=user, error=error)


def run(name, options):
    """Runs a scenario, prints what answered, and returns what it did not keep."""
    scenario = SCENARIOS[name]
    config = scenario.config(options)
    urls = itertools.cycle(options.base_url)
    users = itertools.cycle(USERS if scenario.users else [None])
    answers = [ask(next(urls), options, config, n, next(users)) for n in range(1, scenario.requests + 1)]
    print(f"\n{name}: {scenario.title}, {scenario.requests} requests")
    print_table(scenario, answers)
    broken = [f"{count} failed: {error}" for error, count in failures(answers).items()]
    broken += promises(scenario, answers)
    for line in broken or ["as promised"]:
        print(f"  {line}")
    return broken


def print_table(scenario, answers):
    """A line for each target that answered, user by user, and for each that should have and did not."""
    wanted = {name: f"{share * scenario.requests:g}" for name, share in scenario.shares.items()}
    latencies = {}
    for a in answers:
        if not a.error:
            latencies.setdefault((a.user or "", a.provider, a.group, a.deployment, a.place), []).append(a.ms)
    rows = [["user", "provider", "target", "deployment", "place", "wanted", "got", "median ms", "slowest ms"]]
    for names, ms in sorted(latencies.items()):
        counted = [wanted.get(names[1], "-"), str(len(ms))]
        rows.append([*names, *counted, f"{statistics.median(ms):.1f}", f"{max(ms):.1f}"])
    for provider in wanted.keys() - {names[1] for names in latencies}:
        rows.append(["", provider, "-", "-", "-", wanted[provider], "0", "-", "-"])
    columns = [column for column in zip(*rows) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    for row in zip(*columns):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def failures(answers):
    """How many requests failed, by what they failed with."""
    counts = {}
    for answer in answers:
        if answer.error:
            counts[answer.error] = counts.get(answer.error, 0) + 1
    return counts


def promises(scenario, answers):
    """What of the shares and of the sessions was not kept."""
    broken = []
    got = {name: sum(a.provider == name for a in answers) for name in scenario.shares}
    for name, share in scenario.shares.items():
        # Nobody can give half a request: 2.5 of 10 are 2 or 3.
        least, most = (rounded(share * scenario.requests) for rounded in (floor, ceil))
        if not least <= got[name] <= most:
            due = f"{least}" if least == most else f"{least} to {most}"
            broken.append(f"{name} answered {got[name]} of {scenario.requests} requests, not {due}")
    if set(scenario.shares.values()) == {0.5}:
        deviation = max(abs(count / scenario.requests - 0.5) * 100 for count in got.values())
        print(f"  deviation from 50 %: {deviation:.1f} points")
    for user in {answer.user for answer in answers if answer.user}:
        targets = {a.deployment for a in answers if a.user == user and not a.error}
        if len(targets) > 1:
            broken.append(f"{user} was sent to {len(targets)} targets")
    return broken


def floor(number):
    """`number` rounded down, were it not for what binary fractions leave behind."""
    return math.floor(number + 1e-9)


def ceil(number):
    """`number` rounded up, were it not for what binary fractions leave behind."""
    return math.ceil(number - 1e-9)


def router_urls():
    """The router that the environment names, as the SDKs want it."""
    url = os.environ.get("PORTKEY_GATEWAY_URL", DEFAULT_URL).rstrip("/")
    return [url if url.endswith("/v1") else f"{url}/v1"]


def read_options():
    parser = argparse.ArgumentParser(
        description="Load balances, a fallback and sticky sessions with Portkey's SDK.",
        epilog="Targets' addresses are as the router sees them.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--scenario", choices=[*SCENARIOS, "all"], default="all", help="what to run")
    urls = f"the router; several are replicas, which get a request each in turn (PORTKEY_GATEWAY_URL, or {DEFAULT_URL})"
    parser.add_argument("--base-url", action="append", default=argparse.SUPPRESS, metavar="URL", help=urls)
    parser.add_argument("--api-key", default="not-needed", help="the router's key, if it has one")
    fake = "http://127.0.0.1:9001"
    parser.add_argument("--ollama", default=f"{fake}/demo-ollama", help="the first target, without /v1")
    parser.add_argument("--openai", default=f"{fake}/demo-openai/v1", help="the second target, with /v1")
    parser.add_argument("--broken", default="http://127.0.0.1:9", help="where nobody answers")
    parser.add_argument("--ollama-model", default="llama3", help="the first target's model")
    parser.add_argument("--openai-model", default="gpt-4o-mini", help="the second target's model")
    parser.add_argument("--openai-key", default="not-needed", help="the second target's key")
    options = parser.parse_args()
    options.base_url = getattr(options, "base_url", None) or router_urls()
    return options


def main():
    options = read_options()
    print(f"router: {', '.join(options.base_url)}")
    names = list(SCENARIOS) if options.scenario == "all" else [options.scenario]
    broken = [name for name in names if run(name, options)]
    print(f"\n{len(names) - len(broken)} of {len(names)} scenarios kept their promise")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
