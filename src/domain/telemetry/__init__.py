"""What is pure about telemetry: event and counter names, redaction rules, latencies, the summary of a run."""
