// The OpenAI SDK for Node against a running router.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import OpenAI, { AzureOpenAI } from "openai";
import { harness } from "./harness.mjs";

const messages = [{ role: "user", content: "Hey" }];
let running, client;

before(async () => {
  running = await harness();
  client = new OpenAI({ baseURL: `${running.router}/v1`, apiKey: "k", maxRetries: 0 });
});
after(() => running?.stop());

async function text(stream) {
  let all = "";
  for await (const chunk of stream) all += chunk.choices[0]?.delta?.content ?? "";
  return all;
}

test("chat", async () => {
  const reply = await client.chat.completions.create({ model: "chat", messages });
  assert.match(reply.choices[0].message.content, /^Hello/);
});

test("stream", async () => {
  const stream = await client.chat.completions.create({ model: "chat", messages, stream: true });
  assert.match(await text(stream), /^Hello/);
});

test("tools", async () => {
  const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: {} } } }];
  const reply = await client.chat.completions.create({ model: "tools", messages, tools });
  assert.equal(reply.choices[0].message.tool_calls[0].function.name, "weather");
});

test("embeddings", async () => {
  const reply = await client.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"] });
  assert.equal(reply.data.length, 2);
  assert.ok(reply.data[0].embedding.length > 0);
});

const errors = {
  s400: OpenAI.BadRequestError,
  s401: OpenAI.AuthenticationError,
  s403: OpenAI.PermissionDeniedError,
  s404: OpenAI.NotFoundError,
  s422: OpenAI.UnprocessableEntityError,
  s429: OpenAI.RateLimitError,
  s500: OpenAI.InternalServerError,
  nobody: OpenAI.NotFoundError,
};
for (const [model, kind] of Object.entries(errors)) {
  test(`${model} is raised as ${kind.name}`, async () => {
    await assert.rejects(client.chat.completions.create({ model, messages }), (error) => error instanceof kind);
  });
}

test("a stream cut upstream raises", async () => {
  const stream = await client.chat.completions.create({ model: "cut", messages, stream: true });
  await assert.rejects(text(stream), (error) => error instanceof OpenAI.APIError);
});

test("a stream that fails before content falls back unseen", async () => {
  const stream = await client.chat.completions.create({ model: "early", messages, stream: true });
  assert.match(await text(stream), /^Hello/);
});

test("the Azure client", async () => {
  const azure = new AzureOpenAI({ endpoint: running.router, apiKey: "k", apiVersion: "2024-10-21", maxRetries: 0 });
  const reply = await azure.chat.completions.create({ model: "azure-chat", messages });
  assert.match(reply.choices[0].message.content, /^Hello/);
});
