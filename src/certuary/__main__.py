"""`python -m certuary` is the `certuary` command."""

from certuary.cli.main import run

run()
