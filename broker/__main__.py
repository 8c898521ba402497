"""`python -m broker`."""

from broker.main import main

if __name__ == "__main__":
    main()
