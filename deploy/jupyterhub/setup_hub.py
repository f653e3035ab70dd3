"""Set up JupyterHub with this course on this server (Debian or Ubuntu), as root:

    sudo python3 deploy/jupyterhub/setup_hub.py

Safe to run again, for instance after `git pull`: it installs what changed and keeps accounts, submissions and
the gradebook. It makes /opt/attention-course (programs and settings), /srv/attention-hub (the hub's secrets
and database), /srv/attention-exchange (what is handed out and in), the account grader-attention with its
home, and the groups nbgrader-attention (students) and formgrade-attention (instructors). README.md goes on.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace

import steps
from places import REAL, Hub


def set_up(hub: Hub) -> None:
    """Do each step, and say what it is and how long it took (in seconds). Raises CantSetUp."""
    steps.check_machine()
    os.umask(0o022)
    for step in steps.STEPS:
        started = time.monotonic()
        print(f"{step.__name__}: {step.__doc__.split('.')[0]}", end="", flush=True)
        step(hub)
        print(f" ({time.monotonic() - started:.0f} s)", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--port", type=int, default=REAL.port, help="where the hub listens, on loopback")
    chosen = parser.parse_args()
    hub = replace(REAL, port=chosen.port)
    try:
        steps.refuse_an_open_repository()
        set_up(hub)
    except steps.CantSetUp as error:
        sys.exit(f"\nsetup_hub: {error}")
    print(f"\nStudents are the members of {hub.students}, instructors those of {hub.instructors}.")
    print("What is left to do is in deploy/jupyterhub/README.md.")


if __name__ == "__main__":
    main()
