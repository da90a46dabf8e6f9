"""Plain HTTP, as curl speaks it."""

import httpx

BODY = {"model": "chat", "messages": [{"role": "user", "content": "Hey"}]}


def test_the_readmes_curl(router):
    reply = httpx.post(f"{router}/router/completions", json=BODY)
    assert reply.status_code == 200
    assert reply.json()["choices"][0]["message"]["role"] == "assistant"


def test_events_are_framed(router):
    reply = httpx.post(f"{router}/router/completions", json={**BODY, "stream": True})
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = reply.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(event.startswith("data: {") for event in events[:-2])


def test_errors_have_one_shape(router):
    for path, json, status in [
        ("/v1/chat/completions", {}, 400),
        ("/v1/chat/completions", {**BODY, "model": "s503"}, 503),
        ("/v1/nothing", BODY, 404),
    ]:
        reply = httpx.post(f"{router}{path}", json=json)
        assert reply.status_code == status
        error = reply.json()["error"]
        assert error["message"] and error["type"] and "code" in error and "param" in error


def test_metrics_and_deployments(router):
    httpx.post(f"{router}/router/completions", json=BODY)
    page = httpx.get(f"{router}/metrics").text
    assert 'weighbridge_attempts_total{deployment="good"' in page and "sk-provider" not in page
    deployments = httpx.get(f"{router}/router/deployments").json()
    assert deployments["mode"] == "embedded"
    assert {"id", "group", "model", "state", "usage", "limits", "in_flight", "cooldown", "latency_ms"} <= set(
        deployments["deployments"][0]
    )
