"""The command line: parse, call one use case, render. `entry.main` is where a process starts."""
