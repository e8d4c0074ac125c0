"""A real git repository made commit by commit, with dates that tests choose and no setting of whoever runs them."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FIRST_DATE_S = 1_700_000_000


class GitRepository:
    """A repository in a directory of its own; each commit is an hour after the one before."""

    def __init__(self, root: Path, *options: str) -> None:
        """Make the directory and an empty repository; `options` go to `git init`."""
        self.root = root
        self._commits = 0
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main", *options)

    def git(self, *arguments: str, given: bytes = b"") -> str:
        """Run git in the repository and return what it prints."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        date = f"{_FIRST_DATE_S + 3600 * self._commits} +0000"
        environment = kept | {
            "GIT_CONFIG_NOSYSTEM": "1",
            # Not the null device: git puts a file in its place when a setting is made, and root may.
            "GIT_CONFIG_GLOBAL": f"{self.root}.gitconfig",
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_DATE": date,
            "GIT_AUTHOR_NAME": "Ann",
            "GIT_AUTHOR_EMAIL": "ann@example.org",
            "GIT_COMMITTER_NAME": "Ann",
            "GIT_COMMITTER_EMAIL": "ann@example.org",
        }
        done = subprocess.run(["git", *arguments], cwd=self.root, env=environment, input=given, capture_output=True)
        assert 0 == done.returncode, done.stderr.decode("utf-8", "replace")
        return done.stdout.decode("utf-8", "surrogateescape")

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files of the working tree."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(
        self, message: str, files: Mapping[str, str | bytes], *, author: str = "", encoding: str = "utf-8"
    ) -> str:
        """Write files, commit everything that differs from the last commit, and return the commit's id."""
        self.write(files)
        self._commits += 1
        # What stands in the index only (a submodule's entry) stays: `add` looks at what is in the working tree.
        self.git("-c", "core.fsmonitor=false", "add", "--all", "--", ".", ":(exclude)sub")
        by = (f"--author={author}",) if author else ()
        self.git("commit", "--quiet", "--allow-empty", "--file=-", *by, given=message.encode(encoding))
        return self.git("rev-parse", "HEAD").strip()
