"""A client on `mcp` 1.x."""

import asyncio
from contextlib import asynccontextmanager

import mcp
from mcp import ClientSession, StdioServerParameters, types
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from script import ORDER, PATIENCE_S, Refused, plain, run


def carrier():
    match ORDER["transport"]:
        case "http":
            return streamable_http_client(ORDER["url"])
        case "sse":
            return sse_client(ORDER["url"])
        case _:
            return stdio_client(StdioServerParameters(command=ORDER["command"], args=ORDER["args"]))


class Client:
    def __init__(self, session, initialized):
        self.session = session
        self.initialized = initialized

    def server(self):
        return {"capabilities": plain(self.initialized.capabilities), "instructions": self.initialized.instructions}

    async def done(self, request):
        try:
            return plain(await asyncio.wait_for(request, PATIENCE_S))
        except mcp.McpError as error:
            raise Refused(error.error.code) from error

    async def page(self, method, cursor):
        lists = {
            "tools/list": self.session.list_tools,
            "resources/list": self.session.list_resources,
            "resources/templates/list": self.session.list_resource_templates,
            "prompts/list": self.session.list_prompts,
        }
        return await self.done(lists[method](params=types.PaginatedRequestParams(cursor=cursor)))

    async def call(self, name, arguments, progress):
        return await self.done(self.session.call_tool(name, arguments, progress_callback=progress))

    async def cancel(self, name, arguments):
        """This SDK has no way to take a call back, but it can send what says so."""
        runs = asyncio.Event()

        async def report(*_):
            runs.set()

        number = self.session._request_id
        call = asyncio.create_task(self.session.call_tool(name, arguments, progress_callback=report))
        await asyncio.wait_for(runs.wait(), PATIENCE_S)
        params = types.CancelledNotificationParams(requestId=number)
        await self.session.send_notification(types.ClientNotification(types.CancelledNotification(params=params)))
        call.cancel()
        return "cancelled"

    async def read(self, uri):
        return await self.done(self.session.read_resource(uri))

    async def prompt(self, name, arguments):
        return await self.done(self.session.get_prompt(name, arguments))

    async def complete(self, params):
        ref = types.PromptReference.model_validate(params["ref"])
        return await self.done(self.session.complete(ref, params["argument"]))

    @asynccontextmanager
    async def watch(self, uri):
        if uri is None:
            yield
            return
        await self.done(self.session.subscribe_resource(uri))
        yield
        await self.done(self.session.unsubscribe_resource(uri))


@asynccontextmanager
async def open_client(news):
    async def elicit(_context, params):
        return types.ElicitResult.model_validate(news.answer("elicitation/create", plain(params)))

    async def sample(_context, params):
        return types.CreateMessageResult.model_validate(news.answer("sampling/createMessage", plain(params)))

    async def roots(_context):
        return types.ListRootsResult.model_validate(news.answer("roots/list", {}))

    async def told(message):
        if isinstance(message, types.ServerNotification):
            uri = str(message.root.params.uri) if isinstance(message.root, types.ResourceUpdatedNotification) else None
            news.hear(message.root.method, uri)

    handlers = {"elicitation_callback": elicit, "sampling_callback": sample, "list_roots_callback": roots}
    async with carrier() as streams, ClientSession(streams[0], streams[1], message_handler=told, **handlers) as session:
        yield Client(session, await session.initialize())


asyncio.run(run(open_client))
