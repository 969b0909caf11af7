"""`python -m aerec.cli` is `aerec`."""

from aerec.cli import main

main()
