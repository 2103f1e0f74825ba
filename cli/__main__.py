"""python -m cli: the terminal's doors."""

from cli.main import run

if __name__ == "__main__":
    run()
