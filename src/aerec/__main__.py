"""`python -m aerec` is `aerec`."""

from aerec.cli import main

main()
