"""The command line of kgen: one module per command, each parses, calls kgen and prints."""
