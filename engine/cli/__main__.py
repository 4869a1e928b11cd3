"""`python -m engine.cli`."""

from engine.cli.entry import main

if __name__ == "__main__":
    main()
