"""CommandFeatures: `workspace/executeCommand`, from a command's arguments to the root and the thread that answer it.

Owns which root a command is about and how a place of a document becomes a selector. Left to others: what arguments a
command takes and what it answers (`editor_commands`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...domain.errors import UsageError
from ..answer_documents import mark_unsteady
from ..secrets import redact_secrets
from . import editor_commands
from .documents import path_of
from .root import Answer, Asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsprotocol import types

    from ..services import Services
    from .client import EditorClient
    from .documents import Documents
    from .questions import Questions
    from .root import Root
    from .roots import Roots
    from .text_sync import TextSync

_LENS_FIGURES = frozenset({"refs", "certain", "complete", "tokens"})


class CommandFeatures:
    """Answers requests in the event loop's thread."""

    def __init__(
        self, client: EditorClient, documents: Documents, roots: Roots, sync: TextSync, questions: Questions
    ) -> None:
        """Run nothing yet."""
        self._client = client
        self._documents = documents
        self._roots = roots
        self._sync = sync
        self._questions = questions

    def execute_command(self, params: types.ExecuteCommandParams) -> Any:
        """Answer a command with the object of its `--json`."""
        command = params.command
        if not self._client.options.has("commands") or command not in editor_commands.COMMANDS:
            known = ", ".join(editor_commands.COMMANDS)
            raise UsageError(f"{redact_secrets(command)[:80]} is no command of ctx's; there are {known}")
        given = self._client.unstructured(params.arguments) if params.arguments else []
        if command == "ctx.refs" and len(given) == 1 and isinstance(given[0], dict):
            given = [{key: value for key, value in given[0].items() if key not in _LENS_FIGURES}]
        arguments = editor_commands.arguments_of(command, given)
        root = self._roots.named(arguments.get("root") or arguments.get("uri"))
        self._sync.tell_all_unsaved()
        if command == "ctx.restart":
            roots = [root] if "root" in arguments else list(self._roots)
            self._roots.restart(roots)
            return {"schema": "ctx.restart/1", "restarted": [one.name for one in roots]}
        if command == "ctx.telemetry":
            asked = Asked("ctx.telemetry")

            def tell(services: Services) -> Answer:
                return Answer(
                    {"schema": "ctx.telemetry/1", "segment": services.segment_name, **services.telemetry.summary()}
                )

            return root.ask(asked, tell, is_slow=True)
        asks_servers = self._questions.asks_servers
        if command == "ctx.refs":
            arguments = self._with_selector(arguments, root)
        runs: dict[str, Callable[[Services], Answer]] = {
            "ctx.search": lambda services: editor_commands.search(services, arguments),
            "ctx.get": lambda services: editor_commands.get(services, arguments),
            "ctx.map": lambda services: editor_commands.repo_map(services, arguments),
            "ctx.refs": lambda services: editor_commands.refs(services, arguments, asks_servers=asks_servers),
        }

        def work(services: Services) -> Answer:
            answer, is_steady = services.steadied(lambda: runs[command](services))
            if not is_steady:
                mark_unsteady(answer.result)
            return answer

        return root.ask(Asked(command, editor_commands.told_of(command, arguments)), work, is_slow=True)

    def _with_selector(self, arguments: dict[str, Any], root: Root) -> dict[str, Any]:
        """Return the arguments of `ctx.refs` with a place of a document written as a selector."""
        position, uri = arguments.get("position"), arguments.get("uri")
        if "selector" in arguments or uri is None or position is None:
            return arguments
        document = self._documents.get(uri)
        path = root.path_of(document.path if document is not None else path_of(uri))
        content = self._questions.content(document, root, path)
        line, unit = position.get("line"), position.get("character")
        if content is None or type(line) is not int or type(unit) is not int:
            raise UsageError("ctx.refs: uri and position must be a place in a file of the workspace")
        at, column = content.place_of(line, unit, self._documents.encoding)
        return {**arguments, "selector": f"{path}:{at}:{column}"}
