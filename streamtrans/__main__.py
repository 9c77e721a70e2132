"""`python -m streamtrans` is the command `streamtrans`."""

from streamtrans.cli.app import main

if __name__ == "__main__":
    main()
