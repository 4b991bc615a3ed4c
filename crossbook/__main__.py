"""`python -m crossbook`: the command line, where no script is installed."""

from crossbook.cli.entry import main

if __name__ == "__main__":
    main()
