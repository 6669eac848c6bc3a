"""`python -m sfsc_deploy`: the same as the command `sfsc-deploy`."""

from sfsc_deploy.cli import main

if __name__ == "__main__":
    main()
