"""`python -m vaccine`."""

from vaccine.cli import main

main()
