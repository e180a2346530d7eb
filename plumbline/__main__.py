"""`python -m plumbline`, and what PyInstaller makes dist/plumbline of."""

from plumbline.cli import main

if __name__ == "__main__":
    main()
