"""``python -m pulsegate``."""

from pulsegate.cli import main

main()
