"""The warm host of one segment: a process with everything loaded that runs each command in a copy of itself."""
