"""What ctx knows about source code: skeletons from Tree-sitter (definitions from language servers join them here)."""

from .skeleton_map import ParseDeadlineError, SkeletonCache, SkeletonMapBuilder

__all__ = ["ParseDeadlineError", "SkeletonCache", "SkeletonMapBuilder"]
