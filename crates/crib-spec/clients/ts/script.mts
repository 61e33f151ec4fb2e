// What every TypeScript client does: it takes an order (JSON, its first argument), goes through the steps with an SDK,
// and prints one JSON report. The words of an order are those of `src/sdk.rs`.

import { createRequire } from "node:module";
import { join } from "node:path";

type Json = any;

export type Order = {
  era: "legacy" | "modern";
  transport: "http" | "sse" | "stdio";
  url?: string;
  command?: string;
  args?: string[];
  steps: Json[];
};

export type Options = { onprogress?: (progress: Json) => void; signal?: AbortSignal };

/** One SDK, as the steps need it. */
export type Sdk = {
  connect(): Promise<Json>;
  page(method: string, cursor?: string): Promise<Json>;
  call(name: string, args: Json, options?: Options): Promise<Json>;
  read(uri: string): Promise<Json>;
  prompt(name: string, args: Json): Promise<Json>;
  complete(params: Json): Promise<Json>;
  /** Starts hearing of a resource, or of the list of tools; returns how to stop. */
  watch(uri?: string): Promise<() => Promise<unknown>>;
  close(): Promise<void>;
};

export const INFO = { name: "spec-typescript", version: "1" };
export const CAPABILITIES = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

const PATIENCE_MS = 20_000;
const LISTS = [
  ["tools/list", "tools"],
  ["resources/list", "resources"],
  ["resources/templates/list", "resourceTemplates"],
  ["prompts/list", "prompts"],
] as const;

/** The packages are installed elsewhere than this file. */
export const load = createRequire(join(process.env.SPEC_MODULES ?? ".", "client.js"));
export const order: Order = JSON.parse(process.argv[2]!);

/** What the server asked this client, in order. */
const asked: string[] = [];
const heard: { method: string; uri?: string }[] = [];
let wake = () => {};

export function hear(method: string, uri?: string) {
  heard.push({ method, uri });
  wake();
}

/** Answers as an obliging user would. */
export function answer(method: string, params: Json): Json {
  asked.push(method);
  if (method === "sampling/createMessage") {
    return { role: "assistant", content: { type: "text", text: "Paris" }, model: "test-model", stopReason: "endTurn" };
  }
  if (method === "roots/list") {
    return { roots: [{ uri: "file:///work", name: "work" }] };
  }
  const content: Json = {};
  for (const [name, schema] of Object.entries<Json>(params.requestedSchema?.properties ?? {})) {
    content[name] = schema.default ?? (schema.type === "boolean" ? true : schema.type === "string" ? "Ada" : 7);
  }
  return { action: "accept", content };
}

async function news(method: string, uri?: string) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const at = heard.findIndex((one) => one.method === method && one.uri === uri);
    if (at >= 0) return heard.splice(at, 1)[0];
    const left = end - Date.now();
    if (left <= 0) throw new Error(`no ${method} of ${uri}`);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, left);
      wake = () => (clearTimeout(timer), resolve());
    });
  }
}

async function walk(sdk: Sdk, method: string, field: string) {
  const items: Json[] = [];
  let cursor: string | undefined;
  do {
    const page = await sdk.page(method, cursor);
    items.push(...page[field]);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return items;
}

async function take(sdk: Sdk, step: Json): Promise<Json> {
  switch (step.do) {
    case "call": {
      const progress: Json[] = [];
      const onprogress = step.progress ? (one: Json) => progress.push(one) : undefined;
      const result = await sdk.call(step.name, step.arguments ?? {}, { onprogress });
      return step.progress ? { result, progress } : result;
    }
    case "cancel": {
      const leave = new AbortController();
      const onprogress = () => leave.abort();
      const given = await sdk.call(step.name, step.arguments, { onprogress, signal: leave.signal }).catch(() => "cancelled");
      return given;
    }
    case "read":
      return sdk.read(step.uri);
    case "prompt":
      return sdk.prompt(step.name, step.arguments ?? {});
    case "complete":
      return sdk.complete(step.params);
    case "watch": {
      const stop = await sdk.watch(step.uri);
      await sdk.call(step.name, step.arguments ?? {});
      await news(step.uri ? "notifications/resources/updated" : "notifications/tools/list_changed", step.uri);
      await stop();
      return "heard";
    }
    default:
      throw new Error(`unknown step ${step.do}`);
  }
}

export async function run(sdk: Sdk) {
  const report: Json = { server: await sdk.connect(), lists: {}, results: {} };
  for (const [method, field] of LISTS) {
    report.lists[field] = await walk(sdk, method, field);
  }
  for (const step of order.steps) {
    report.results[step.as] = await take(sdk, step).catch((error) => {
      // What has no code is this program's own failure.
      if (typeof error.code !== "number") throw new Error(`${step.as}: ${error.stack}`);
      return { error: error.code };
    });
  }
  await sdk.close();
  report.asked = asked;
  // The program must end on its own: what keeps it running was not closed.
  process.stdout.write(JSON.stringify(report));
}
