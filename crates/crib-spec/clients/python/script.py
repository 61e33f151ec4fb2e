"""What every Python client does: it takes an order (JSON, its first argument), goes through the steps with an SDK, and
prints one JSON report. The words of an order are those of `src/sdk.rs`.

A client of one SDK is a class with the methods this module calls; everything it returns is plain JSON.
"""

import asyncio
import json
import sys

PATIENCE_S = 20
LISTS = {
    "tools/list": "tools",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
    "prompts/list": "prompts",
}

ORDER = json.loads(sys.argv[1])


class Refused(Exception):
    """The other side answered with this JSON-RPC error."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


class News:
    """What was asked, and what was told, in order."""

    def __init__(self):
        self.asked = []
        self.heard = []
        self.changed = asyncio.Event()

    def hear(self, method, uri=None):
        self.heard.append((method, uri))
        self.changed.set()

    async def wait(self, method, uri=None):
        while (method, uri) not in self.heard:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), PATIENCE_S)
        self.heard.remove((method, uri))

    def answer(self, method, params):
        """Answers as an obliging user would."""
        self.asked.append(method)
        if method == "sampling/createMessage":
            text = {"type": "text", "text": "Paris"}
            return {"role": "assistant", "content": text, "model": "test-model", "stopReason": "endTurn"}
        if method == "roots/list":
            return {"roots": [{"uri": "file:///work", "name": "work"}]}
        content = {}
        for name, schema in params.get("requestedSchema", {}).get("properties", {}).items():
            usual = {"boolean": True, "string": "Ada"}.get(schema.get("type"), 7)
            content[name] = schema.get("default", usual)
        return {"action": "accept", "content": content}


def plain(model):
    """Turns a model of the SDK into JSON."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


async def walk(client, method, field):
    items, cursor = [], None
    while True:
        page = await client.page(method, cursor)
        items.extend(page[field])
        cursor = page.get("nextCursor")
        if cursor is None:
            return items


async def take(client, news, step):
    match step["do"]:
        case "call":
            progress = []

            async def report(done, total, message):
                progress.append({"progress": done, "total": total, "message": message})

            result = await client.call(step["name"], step.get("arguments", {}), report if step.get("progress") else None)
            return {"result": result, "progress": progress} if step.get("progress") else result
        case "cancel":
            return await client.cancel(step["name"], step["arguments"])
        case "read":
            return await client.read(step["uri"])
        case "prompt":
            return await client.prompt(step["name"], step.get("arguments", {}))
        case "complete":
            return await client.complete(step["params"])
        case "watch":
            uri = step.get("uri")
            async with client.watch(uri):
                await client.call(step["name"], step.get("arguments", {}), None)
                await news.wait("notifications/resources/updated" if uri else "notifications/tools/list_changed", uri)
            return "heard"
        case other:
            raise ValueError(other)


async def run(open_client):
    """Runs the order with the client that `open_client(news)` connects."""
    news = News()
    async with open_client(news) as client:
        report = {"server": client.server(), "lists": {}, "results": {}}
        for method, field in LISTS.items():
            report["lists"][field] = await walk(client, method, field)
        for step in ORDER["steps"]:
            try:
                report["results"][step["as"]] = await take(client, news, step)
            except Refused as refused:
                report["results"][step["as"]] = {"error": refused.code}
    # The client must have let go of everything by now.
    report["asked"] = news.asked
    json.dump(report, sys.stdout)
