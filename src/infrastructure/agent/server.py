"""The protocol's side of the agent's server: tools, resources, roots, progress and cancellation.

Answers are made by `SegmentWorker` in threads of its own; this side never waits for a disk or an index, so that a
handshake or a list is answered whatever goes on behind it.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import mcp_types as types
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from ... import __version__
from ...domain.errors import CtxError, UsageError
from ...domain.file_uris import SCHEME, path_of_uri
from ..secrets import redact_secrets
from ..segment import find_segment, is_no_project
from .question import Question
from .session import session_of
from .tools import INSTRUCTIONS, TOOLS, tool_named
from .words import ends_of
from .worker import CallError, Phase, SegmentWorker

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

    from .question import Answer
    from .session import AgentSession
    from .worker import Call

    Context = ServerRequestContext[dict[str, Any], Any]

PATIENCE_S = 5.0
"""A call waits so long for an index that is being built; then it is answered from what is there."""
ROOTS_WAIT_S = 2.0
ROOTS_MAX = 20
_START_DELAY_S = 0.02
"""After the first answer is on its way: what is loaded then holds the interpreter for moments."""
_PROGRESS_EVERY_S = 0.1
_SKELETON = "ctx://skeleton/"
_MAP, _STATUS = "ctx://map", "ctx://status"
_LISTED_SKELETONS = 10
_LISTED_MAP_TOKENS = 500
_NO_PROJECT = (
    "is not indexed: it is no project; start the server in one, name one with --segment, "
    "or make a folder _ctx in it and start the server anew if it is meant"
)
_ERROR_SIZE_MAX = 800
"""Of an error's text: none costs more than the smallest `max_tokens`."""


class AgentServer:
    """One client's server; `segment` is the directory to work on, None for the client's roots or the current one."""

    def __init__(
        self,
        segment: str | None = None,
        *,
        make_session: Callable[[str], AgentSession] = session_of,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Find the segment that is given; nothing else is read.

        Raises: UsageError for a segment that is no directory.
        """
        self._given = find_segment(segment) if segment is not None else None
        self._make_session = make_session
        self._patience_s = patience_s
        self._workers: dict[str, SegmentWorker] = {}
        self._all_workers: list[SegmentWorker] = []
        self._roots_asked = asyncio.Event()

    def protocol_server(self) -> Server[dict[str, Any]]:
        """Return the SDK's server with every handler; it serves both eras of the protocol."""
        server: Server[dict[str, Any]] = Server(
            "ctx",
            version=__version__,
            instructions=INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_resource_templates,
            on_read_resource=self._read_resource,
        )
        # Nothing is traced: what a call asked is nobody else's business.
        server.middleware[:] = [self._warm_up_behind]
        server.add_notification_handler("notifications/initialized", types.NotificationParams, self._initialized)
        server.add_notification_handler("notifications/roots/list_changed", types.NotificationParams, self._initialized)
        return server

    @staticmethod
    def notification_options() -> NotificationOptions:
        """Return what the server may tell by itself: that roots changed, and with them an argument of the tools."""
        return NotificationOptions(tools_changed=True)

    def ask_to_stop(self) -> None:
        """Let whatever goes on be left; returns at once, from any thread."""
        for worker in list(self._all_workers):
            worker.ask_to_stop()

    def stop(self, wait_s: float) -> None:
        """End every thread and write the ends of the runs."""
        self.ask_to_stop()
        for worker in list(self._all_workers):
            worker.stop(wait_s)

    # ------------------------------------------------------------------ segments

    async def _warm_up_behind(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        result = await call_next(ctx)
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS and not self._workers:
            self._use([])
        return result

    async def _initialized(self, ctx: Context, _params: types.NotificationParams) -> None:
        before = tuple(self._workers)
        self._use(await self._roots(ctx))
        self._roots_asked.set()
        after = tuple(self._workers)
        if before and after != before and max(len(before), len(after)) > 1:
            await ctx.session.send_tool_list_changed()

    async def _roots(self, ctx: Context) -> list[str]:
        """Return the directories that the client names as its roots; none when it names none in time."""
        if self._given is not None or not _may_ask_roots(ctx):
            return []
        try:
            async with asyncio.timeout(ROOTS_WAIT_S):
                found = await ctx.session.send_request(types.ListRootsRequest(), types.ListRootsResult)
        except (TimeoutError, MCPError, ValueError):
            return []
        uris = [uri for uri in (str(root.uri) for root in found.roots[:ROOTS_MAX]) if uri.startswith(SCHEME)]
        return [path for path in map(os.fsdecode, map(path_of_uri, uris)) if "\0" not in path and os.path.isdir(path)]

    def _use(self, roots: list[str]) -> None:
        """Work on the segments of these roots, without any on the given or current one; the first is the default."""
        named = self._given or (None if roots else _of_environment())
        try:
            segments = [find_segment(start=root) for root in roots] or [self._given or find_segment(named)]
        except CtxError:
            segments = [os.getcwd()]
        known = {worker.segment: worker for worker in self._workers.values()}
        workers: dict[str, SegmentWorker] = {}
        for segment in dict.fromkeys(segments):
            worker = known.pop(segment, None)
            if worker is None:
                refusal = "" if named or not is_no_project(segment) else f"{segment} {_NO_PROJECT}"
                worker = SegmentWorker(segment, self._make_session, refusal=refusal)
                self._all_workers.append(worker)
            workers[_name_beside(os.path.basename(segment) or "root", workers)] = worker
        self._workers = workers
        for worker in known.values():
            worker.ask_to_stop()
        self._all_workers = [worker for worker in self._all_workers if not worker.has_left]
        asyncio.get_running_loop().call_later(_START_DELAY_S, next(iter(workers.values())).start)

    async def _worker(self, ctx: Context, root: str | None) -> SegmentWorker:
        if not self._workers:
            if self._given is None and _may_ask_roots(ctx):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._roots_asked.wait(), ROOTS_WAIT_S)
            if not self._workers:
                self._use([])
        return self._workers[root] if root is not None else next(iter(self._workers.values()))

    @property
    def _root_names(self) -> tuple[str, ...]:
        return tuple(self._workers)

    # ------------------------------------------------------------------ tools

    async def _list_tools(self, _ctx: Context, _params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        annotations = types.ToolAnnotations(read_only_hint=True)
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=tool.name,
                    description=tool.about,
                    input_schema=tool.input_schema(self._root_names),
                    output_schema=tool.output_schema(),
                    annotations=annotations,
                )
                for tool in TOOLS
            ]
        )

    async def _call_tool(self, ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        try:
            tool = tool_named(params.name)
            arguments = tool.read(params.arguments or {}, self._root_names)
            worker = await self._worker(ctx, arguments.pop("root", None))
            found = await self._answer(ctx, worker, Question(tool.name, arguments))
        except (CtxError, CallError) as error:
            return types.CallToolResult(content=[types.TextContent(text=_line_of(error))], is_error=True)
        return types.CallToolResult(
            content=[types.TextContent(text=_clean(found.text))], structured_content=_clean(found.document)
        )

    async def _answer(self, ctx: Context, worker: SegmentWorker, question: Question) -> Answer:
        """Return the worker's answer, telling progress meanwhile; a cancelled call is taken back.

        Raises: CallError for a call that cannot be answered.
        """
        async with _Progress(ctx, worker) as progress:
            return await self._wait(worker, worker.submit(_telling(question, progress.tell)))

    async def _wait(self, worker: SegmentWorker, call: Call) -> Answer:
        loop = asyncio.get_running_loop()
        # A state is wanted as it is now.
        patience_s = 0.0 if call.question.tool == "ctx_status" else self._patience_s
        deadline = loop.time() + patience_s
        future = asyncio.wrap_future(call.future)
        try:
            while not (await asyncio.wait({future}, timeout=max(0.05, deadline - loop.time())))[0]:
                meanwhile = None
                if worker.phase.name != "ready" and not call.question.missing:
                    meanwhile = worker.submit_meanwhile(call)
                if meanwhile is not None:
                    call, future = meanwhile, asyncio.wrap_future(meanwhile.future)
            return future.result()
        finally:
            call.future.cancel()

    # ------------------------------------------------------------------ resources

    async def _list_resources(
        self, ctx: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        resources = [
            types.Resource(uri=_MAP, name="map", description="What the rest leans on", mime_type="text/plain"),
            types.Resource(uri=_STATUS, name="status", description="State of the index", mime_type="text/plain"),
        ]
        worker = await self._worker(ctx, None)
        if worker.phase.name == "ready":
            arguments = tool_named("ctx_map").read({"max_tokens": _LISTED_MAP_TOKENS})
            with suppress(CallError):
                found = await self._answer(ctx, worker, Question("ctx_map", arguments))
                resources += [_skeleton_resource(file["path"]) for file in found.document["files"][:_LISTED_SKELETONS]]
        return types.ListResourcesResult(resources=resources)

    async def _list_resource_templates(
        self, _ctx: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        template = types.ResourceTemplate(
            uri_template=_SKELETON + "{path}",
            name="skeleton",
            description="What a file declares, without bodies",
            mime_type="text/plain",
        )
        return types.ListResourceTemplatesResult(resource_templates=[template])

    async def _read_resource(self, ctx: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        uri = str(params.uri)
        try:
            question = _question_of(uri)
            worker = await self._worker(ctx, None)
            found = await self._answer(ctx, worker, question)
        except (CtxError, CallError) as error:
            raise MCPError(
                code=types.INVALID_PARAMS, message=_line_of(error), data={"uri": redact_secrets(uri)[:1000]}
            ) from None
        text = _skeleton_of(found) if question.tool == "ctx_get" else found.text
        content = types.TextResourceContents(uri=uri, text=_clean(text), mime_type="text/plain")
        return types.ReadResourceResult(contents=[content])


class _Progress:
    """Tells a client that asked for it how far a build is, at most ten times a second; the SDK knows who did."""

    def __init__(self, ctx: Context, worker: SegmentWorker) -> None:
        self._ctx = ctx
        self._worker = worker
        self._latest: tuple[int, int, str] | None = None
        self._has_news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._end: Callable[[], None] = lambda: None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> _Progress:
        self._end = self._worker.listen(self._hear)
        self._task = asyncio.create_task(self._send())
        self._hear(self._worker.phase)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._end()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def tell(self, done: int, total: int) -> None:
        """Take how far the answer itself is, from any thread."""
        self._note(done, total, "reading")

    def _hear(self, phase: Phase) -> None:
        self._note(phase.done, phase.total, phase.name)

    def _note(self, done: int, total: int, what: str) -> None:
        self._latest = (done, total, what)
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._has_news.set)

    async def _send(self) -> None:
        last = -1
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            if self._latest is not None and self._latest[0] > last:  # the protocol wants it to grow
                last, total, what = self._latest
                await self._ctx.session.report_progress(last, total or None, what)
            await asyncio.sleep(_PROGRESS_EVERY_S)


def _telling(question: Question, tell: Callable[[int, int], None]) -> Question:
    return Question(question.tool, question.arguments, tell=tell)


def _may_ask_roots(ctx: Context) -> bool:
    capabilities = ctx.session.client_capabilities
    return capabilities is not None and capabilities.roots is not None and ctx.session.can_send_request


def _of_environment() -> str | None:
    return os.environ.get("CTX_SEGMENT") or None


def _name_beside(name: str, taken: dict[str, Any]) -> str:
    number = 1
    found = name
    while found in taken:
        number += 1
        found = f"{name}~{number}"
    return found


def _skeleton_resource(path: str) -> types.Resource:
    return types.Resource(uri=_SKELETON + quote(path), name=path, mime_type="text/plain")


def _question_of(uri: str) -> Question:
    """Return the question whose answer a resource is.

    Raises: UsageError for a URI that names none.
    """
    if uri == _MAP:
        return Question("ctx_map", tool_named("ctx_map").read({}))
    if uri == _STATUS:
        return Question("ctx_status", {})
    if uri.startswith(_SKELETON) and len(uri) > len(_SKELETON):
        path = unquote(uri.removeprefix(_SKELETON))
        return Question("ctx_get", tool_named("ctx_get").read({"id": path, "mode": "skeleton"}))
    raise UsageError(
        f"there is no resource {redact_secrets(uri)[:80]!a}; there is {_MAP}, {_STATUS} and {_SKELETON}{{path}}"
    )


def _skeleton_of(found: Answer) -> str:
    """Return a file's skeleton, and where there is more what gets it: a resource has no pages."""
    text: str = found.document["items"][0]["text"]
    if not found.document["truncated"]:
        return text
    cursor = found.document.get("next_cursor")
    how = f"mode skeleton and cursor {cursor} reads on" if cursor else "mode raw reads the file"
    return f"{text.rstrip()}\n\nnote: there is more; ctx_get with the same path, {how}\n"


def _line_of(error: Exception) -> str:
    """Return what is wrong, cut in its middle: what was given stands first and what to do last."""
    return ends_of(_clean(redact_secrets(str(error))), _ERROR_SIZE_MAX)


def _clean(value: Any) -> Any:
    """Return a value whose texts can be written as UTF-8: names and texts of files may hold lone surrogates."""
    match value:
        case str():
            return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode("utf-8")
        case dict():
            return {_clean(key): _clean(one) for key, one in value.items()}
        case list():
            return [_clean(one) for one in value]
        case _:
            return value
