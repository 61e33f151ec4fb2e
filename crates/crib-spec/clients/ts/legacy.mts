// A client on `@modelcontextprotocol/sdk` 1.x.

import { CAPABILITIES, INFO, answer, hear, load, order, run } from "./script.mts";

const { Client } = load("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = load("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { SSEClientTransport } = load("@modelcontextprotocol/sdk/client/sse.js");
const { StdioClientTransport } = load("@modelcontextprotocol/sdk/client/stdio.js");
const { WebSocketClientTransport } = load("@modelcontextprotocol/sdk/client/websocket.js");
const types = load("@modelcontextprotocol/sdk/types.js");

function transport() {
  switch (order.transport) {
    case "http":
      return new StreamableHTTPClientTransport(new URL(order.url!));
    case "sse":
      return new SSEClientTransport(new URL(order.url!));
    case "socket":
      return new WebSocketClientTransport(new URL(order.url!));
    case "stdio":
      return new StdioClientTransport({ command: order.command, args: order.args, stderr: "ignore" });
  }
}

const client = new Client(INFO, { capabilities: { ...CAPABILITIES, elicitation: { form: {} } } });
const carrier = transport();

for (const schema of [types.ElicitRequestSchema, types.CreateMessageRequestSchema, types.ListRootsRequestSchema]) {
  client.setRequestHandler(schema, (request: any) => answer(request.method, request.params));
}
client.setNotificationHandler(types.ResourceUpdatedNotificationSchema, (told: any) => hear(told.method, told.params.uri));
client.setNotificationHandler(types.ToolListChangedNotificationSchema, (told: any) => hear(told.method));

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
  page: (method, cursor) => pages[method]!({ cursor }),
  call: (name, args, options) => client.callTool({ name, arguments: args }, undefined, options),
  read: (uri) => client.readResource({ uri }),
  prompt: (name, args) => client.getPrompt({ name, arguments: args }),
  complete: (params) => client.complete(params),
  async watch(uri) {
    if (uri === undefined) return async () => {};
    await client.subscribeResource({ uri });
    return () => client.unsubscribeResource({ uri });
  },
  async close() {
    if (order.transport === "http") await (carrier as any).terminateSession();
    await client.close();
  },
});
