// A client on `@modelcontextprotocol/client` 2.x, which speaks both eras.

import { CAPABILITIES, INFO, answer, hear, load, order, run } from "./script.mts";

const { Client, StreamableHTTPClientTransport, SSEClientTransport } = load("@modelcontextprotocol/client");
const { StdioClientTransport } = load("@modelcontextprotocol/client/stdio");

function transport() {
  switch (order.transport) {
    case "http":
      return new StreamableHTTPClientTransport(new URL(order.url!));
    case "sse":
      return new SSEClientTransport(new URL(order.url!));
    case "stdio":
      return new StdioClientTransport({ command: order.command, args: order.args, stderr: "ignore" });
  }
}

const modern = order.era === "modern";
const mode = modern ? { pin: "2026-07-28" } : "legacy";
const client = new Client(INFO, { capabilities: CAPABILITIES, versionNegotiation: { mode } });
const carrier = transport();

for (const method of ["elicitation/create", "sampling/createMessage", "roots/list"]) {
  client.setRequestHandler(method, (request: any) => answer(method, request.params));
}
client.setNotificationHandler("notifications/resources/updated", (told: any) => hear(told.method, told.params.uri));
client.setNotificationHandler("notifications/tools/list_changed", (told: any) => hear(told.method));

const pages: Record<string, (params: any) => Promise<any>> = {
  "tools/list": (params) => client.listTools(params),
  "resources/list": (params) => client.listResources(params),
  "resources/templates/list": (params) => client.listResourceTemplates(params),
  "prompts/list": (params) => client.listPrompts(params),
};

await run({
  async connect() {
    await client.connect(carrier);
    return { capabilities: client.getServerCapabilities(), instructions: client.getInstructions() };
  },
  page: (method, cursor) => pages[method]!(cursor === undefined ? undefined : { cursor }),
  call: (name, args, options) => client.callTool({ name, arguments: args }, options),
  read: (uri) => client.readResource({ uri }),
  prompt: (name, args) => client.getPrompt({ name, arguments: args }),
  complete: (params) => client.complete(params),
  async watch(uri) {
    if (modern) {
      const subscription = await client.listen(uri === undefined ? { toolsListChanged: true } : { resourceSubscriptions: [uri] });
      return () => subscription.close();
    }
    if (uri === undefined) return async () => {};
    await client.subscribeResource({ uri });
    return () => client.unsubscribeResource({ uri });
  },
  async close() {
    if (order.transport === "http" && !modern) await (carrier as any).terminateSession();
    await client.close();
  },
});
