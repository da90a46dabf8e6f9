// Portkey's SDK for Node against a running router: nothing but its base URL is another.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Portkey } from "portkey-ai";
import { harness } from "./harness.mjs";

const messages = [{ role: "user", content: "Hey" }];
const body = { model: "gpt-4o", messages };
let running;

before(async () => (running = await harness()));
after(() => running?.stop());

const portkey = (options) => new Portkey({ baseURL: `${running.router}/v1`, ...options });
const at = (name, members) => ({
  provider: "openai",
  api_key: "sk-portkey",
  custom_host: `${running.providers}/${name}/v1`,
  ...members,
});
const calls = async (name) => (await (await fetch(`${running.providers}/admin/${name}/report`)).json()).requests;
const last = async (name) => (await (await fetch(`${running.providers}/admin/${name}/requests`)).json()).at(-1);

async function text(stream) {
  let all = "";
  for await (const chunk of stream) all += chunk.choices[0]?.delta?.content ?? "";
  return all;
}

/** The records of a trace, once there are `count` of them. */
async function logged(traceID, count) {
  const deadline = Date.now() + 5000;
  for (;;) {
    const { logs } = await (await fetch(`${running.router}/router/logs?trace_id=${traceID}`)).json();
    if (logs.length === count) return logs;
    assert.ok(Date.now() < deadline, `${logs.length} records of ${traceID}`);
    await new Promise((wake) => setTimeout(wake, 10));
  }
}

test("chat", async () => {
  const reply = await portkey({ apiKey: "any", config: at("pk-one") }).chat.completions.create(body);
  assert.match(reply.choices[0].message.content, /^Hello there/);
  const headers = reply.getHeaders();
  assert.equal(headers.provider, "openai");
  assert.equal(headers["last-used-option-index"], "config");
  assert.ok(headers["trace-id"]);
});

test("stream", async () => {
  const stream = await portkey({ config: at("pk-one") }).chat.completions.create({ ...body, stream: true });
  assert.equal((await text(stream)).trim(), "Hello there friend of mine");
});

test("embeddings", async () => {
  const client = portkey({ config: at("pk-one") });
  const reply = await client.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"] });
  assert.equal(reply.data.length, 2);
  assert.ok(reply.data[0].embedding.length > 0);
});

test("a config is an object, JSON or an id", async () => {
  const config = { strategy: { mode: "single" }, targets: [at("pk-two", { override_params: { model: "set" } })] };
  for (const written of [config, JSON.stringify(config)]) {
    const reply = await portkey({ config: written }).chat.completions.create(body);
    assert.match(reply.choices[0].message.content, /^Greetings/);
    assert.equal((await last("pk-two")).body.model, "set");
  }
  const reply = await portkey({ config: "pc-saved" }).chat.completions.create({ messages });
  assert.match(reply.choices[0].message.content, /^Hello/);
  assert.equal((await last("pk-one")).body.model, "saved-model");
});

test("no authorization header is needed, and the caller's key goes nowhere", async () => {
  const client = portkey({ apiKey: "pk-caller", provider: "ollama", customHost: `${running.providers}/pk-local` });
  const reply = await client.chat.completions.create({ model: "llama3", messages });
  assert.equal(reply.getHeaders().provider, "ollama");
  const { headers } = await last("pk-local");
  assert.ok(!JSON.stringify(headers).includes("pk-caller"));
  assert.equal(headers.authorization, undefined);
});

test("a trace id sticks to its client and each request has a record of its own", async () => {
  const client = portkey({ config: at("pk-one") });
  const traceID = `node-${crypto.randomUUID()}`;
  const first = await client.chat.completions.create(body, { traceID });
  const second = await client.chat.completions.create(body);
  assert.equal(first.getHeaders()["trace-id"], traceID);
  assert.equal(second.getHeaders()["trace-id"], traceID);
  const rows = await logged(traceID, 2);
  assert.notEqual(rows[0].request_id, rows[1].request_id);
});

test("models", async () => {
  const models = await portkey({ apiKey: "any" }).models.list();
  assert.ok(models.data.some((model) => model.id === "chat"));
});

test("a virtual key, and a fallback", async () => {
  const reply = await portkey({ virtualKey: "pk-key" }).chat.completions.create(body);
  assert.match(reply.choices[0].message.content, /^Hello/);
  const config = { strategy: { mode: "fallback" }, targets: [at("pk-broken"), at("pk-two")] };
  const fallen = await portkey({ config }).chat.completions.create(body);
  assert.equal(fallen.getHeaders()["last-used-option-index"], "config.targets[1]");
});

for (const stream of [false, true]) {
  test(`a failed call is not doubled (stream: ${stream})`, async () => {
    const before = await calls("pk-broken");
    const call = portkey({ config: at("pk-broken") }).chat.completions.create({ ...body, stream });
    await assert.rejects(call, (error) => error.status === 500);
    assert.equal(await calls("pk-broken"), before + 1);
  });

  test(`a bad config is a 400 (stream: ${stream})`, async () => {
    const client = portkey({ config: { strategy: { mode: "zzz" }, targets: [] } });
    const call = client.chat.completions.create({ ...body, stream });
    await assert.rejects(call, (error) => error.status === 400 && /Invalid config passed/.test(error.message));
  });
}

test("a stream cut upstream raises", async () => {
  const stream = await portkey({ config: at("pk-cut") }).chat.completions.create({ ...body, stream: true });
  await assert.rejects(text(stream));
});
