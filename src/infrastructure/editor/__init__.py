"""`ctx lsp`: the face that editors talk to, a language server on standard input and output (docs/editor-server.md)."""
