"""Run the command line as ``python -m kgen_cli``."""

from kgen_cli.main import main

main()
