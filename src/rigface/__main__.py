"""`python -m rigface` is the command `rigface`."""

from rigface.cli import shell

if __name__ == "__main__":
    shell()
