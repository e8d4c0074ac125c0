"""What ctx knows about source code: skeletons and names from Tree-sitter (language servers join them here)."""

from typing import TYPE_CHECKING, Any

from .skeleton_map import ParseDeadlineError, SkeletonCache, SkeletonMapBuilder

if TYPE_CHECKING:
    from .selector import Selector

__all__ = ["ParseDeadlineError", "Selector", "SkeletonCache", "SkeletonMapBuilder"]


def __getattr__(name: str) -> Any:
    # Late: bulk indexing comes through here and resolves nothing.
    if name == "Selector":
        from .selector import Selector

        return Selector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
