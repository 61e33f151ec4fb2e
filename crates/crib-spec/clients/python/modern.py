"""A client on `mcp` 2.x, which speaks both eras."""

import asyncio
from contextlib import asynccontextmanager

import mcp
import mcp_types as types
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters

from script import ORDER, PATIENCE_S, Refused, plain, run

MODERN = ORDER["era"] == "modern"


def carrier():
    match ORDER["transport"]:
        case "http":
            return ORDER["url"]
        case "sse":
            return sse_client(ORDER["url"])
        case _:
            return StdioServerParameters(command=ORDER["command"], args=ORDER["args"])


class Client:
    def __init__(self, client):
        self.client = client

    def server(self):
        return {"capabilities": plain(self.client.server_capabilities), "instructions": self.client.instructions}

    async def done(self, request):
        try:
            return plain(await asyncio.wait_for(request, PATIENCE_S))
        except mcp.MCPError as error:
            raise Refused(error.error.code) from error

    async def page(self, method, cursor):
        lists = {
            "tools/list": self.client.list_tools,
            "resources/list": self.client.list_resources,
            "resources/templates/list": self.client.list_resource_templates,
            "prompts/list": self.client.list_prompts,
        }
        return await self.done(lists[method](cursor=cursor))

    async def call(self, name, arguments, progress):
        return await self.done(self.client.call_tool(name, arguments, progress_callback=progress))

    async def cancel(self, name, arguments):
        runs = asyncio.Event()

        async def report(*_):
            runs.set()

        call = asyncio.create_task(self.client.call_tool(name, arguments, progress_callback=report))
        await asyncio.wait_for(runs.wait(), PATIENCE_S)
        call.cancel()
        try:
            await call
        except asyncio.CancelledError:
            return "cancelled"

    async def read(self, uri):
        return await self.done(self.client.read_resource(uri))

    async def prompt(self, name, arguments):
        return await self.done(self.client.get_prompt(name, arguments))

    async def complete(self, params):
        ref = types.PromptReference.model_validate(params["ref"])
        return await self.done(self.client.complete(ref, params["argument"]))

    @asynccontextmanager
    async def watch(self, uri):
        if MODERN:
            wanted = {"tools_list_changed": True} if uri is None else {"resource_subscriptions": [uri]}
            async with self.client.listen(**wanted):
                yield
        elif uri is None:
            yield
        else:
            await self.done(self.client.subscribe_resource(uri))
            yield
            await self.done(self.client.unsubscribe_resource(uri))


@asynccontextmanager
async def open_client(news):
    async def elicit(_context, params):
        return types.ElicitResult.model_validate(news.answer("elicitation/create", plain(params)))

    async def sample(_context, params):
        return types.CreateMessageResult.model_validate(news.answer("sampling/createMessage", plain(params)))

    async def roots(_context):
        return types.ListRootsResult.model_validate(news.answer("roots/list", {}))

    async def told(message):
        if not isinstance(message, Exception):
            news.hear(message.method, getattr(message.params, "uri", None))

    client = mcp.Client(
        carrier(),
        mode="2026-07-28" if MODERN else "legacy",
        elicitation_callback=elicit,
        sampling_callback=sample,
        list_roots_callback=roots,
        message_handler=told,
    )
    async with client:
        yield Client(client)


asyncio.run(run(open_client))
