#!/usr/bin/env bash
# Install the programs that tests drive as people do, with Debian's package manager: Neovim, Emacs and eglot
# (tests/integration/test_editors.py), Chromium (test_report_page.py) and jq, whose recipes in docs/telemetry.md are run.
# What is there already stays; where nothing can be installed, say what is missing. The exit code is 0 unless an
# installation failed: the tests skip what is not there (CTX_REQUIRE_EDITORS=1 makes them fail).
set -euo pipefail

has_eglot() {
  emacs -q --batch -f package-activate-all --eval "(require 'eglot)" >/dev/null 2>&1
}

install() {
  if ! command -v apt-get >/dev/null; then
    echo "missing: $* (Debian's names); there is no apt-get here: install them yourself, or their tests are skipped"
    exit 0
  fi
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      echo "missing: $*; this needs root: apt-get install --no-install-recommends $*"
      exit 0
    fi
    as_root=(sudo -n)
  fi
  echo "installing $*"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

missing=()
command -v nvim >/dev/null || missing+=(neovim)
if ! command -v emacs >/dev/null || ! command -v emacsclient >/dev/null; then
  missing+=(emacs-nox)
fi
command -v jq >/dev/null || missing+=(jq)
command -v lnav >/dev/null || missing+=(lnav)
command -v chromium >/dev/null || missing+=(chromium)
command -v jq >/dev/null || missing+=(jq)
[ ${#missing[@]} -eq 0 ] || install "${missing[@]}"
# After Emacs is there: from version 29 on it brings eglot along.
has_eglot || install elpa-eglot
