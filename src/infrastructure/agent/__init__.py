"""The agent side: `ctx mcp`, a Model Context Protocol server over standard input and output."""
