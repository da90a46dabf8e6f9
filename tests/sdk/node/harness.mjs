// A router and simulated providers as processes of their own, on free ports.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const binaries = process.env.WEIGHBRIDGE_BIN_DIR ?? join(here, "../../../target/debug");

async function freePort() {
  const server = createServer();
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

async function start(program, args, ready) {
  const child = spawn(join(binaries, program), args, { stdio: "ignore" });
  for (let i = 0; i < 500; i++) {
    try {
      if ((await fetch(ready)).ok) return child;
    } catch {}
    await new Promise((wake) => setTimeout(wake, 20));
  }
  child.kill();
  throw new Error(`${program} is not ready`);
}

/** Starts both; `stop` ends them. */
export async function harness() {
  const [providersPort, routerPort] = [await freePort(), await freePort()];
  const providers = `http://127.0.0.1:${providersPort}`;
  const router = `http://127.0.0.1:${routerPort}`;
  const config = join(mkdtempSync(join(tmpdir(), "weighbridge-")), "router_config.yaml");
  const text = readFileSync(join(here, "../router_config.yaml"), "utf8");
  writeFileSync(config, text.replaceAll("PROVIDERS", providers));
  const script = join(here, "../providers.yaml");
  const children = [
    await start("fakellm", ["--listen", `127.0.0.1:${providersPort}`, "--script", script], `${providers}/health`),
    await start("weighbridge", ["serve", "--config", config, "--listen", `127.0.0.1:${routerPort}`], `${router}/health/ready`),
  ];
  return { router, providers, stop: () => children.forEach((child) => child.kill()) };
}
