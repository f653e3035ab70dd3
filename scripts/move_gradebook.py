"""Move a class's gradebook into another database, such as one on a PostgreSQL server.

    .venv/bin/python scripts/move_gradebook.py postgresql+psycopg://USER@HOST/DATABASE

The database must be there and empty. All of the gradebook is copied, or nothing; then both are read and
compared. The old one stays as it is. Exit 1 when they differ, since somebody graded meanwhile.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nbgrader.coursedir import CourseDirectory

from autograder.classroom.dump import canonical_dump
from autograder.classroom.moving import move
from autograder.classroom.settings import nbgrader_config
from autograder.course import Course
from autograder.library import UserError


def main(arguments: list[str] | None = None) -> int:
    options = _options().parse_args(arguments)
    try:
        course = Course.find(options.course)
        source = options.source or CourseDirectory(config=nbgrader_config(course)).db_url
        copied = move(source, options.target)
    except UserError as error:
        print(f"move_gradebook: {error}", file=sys.stderr)
        return 2
    for table, rows in copied.items():
        print(f"{rows:8,} {table}")
    if canonical_dump(source) != canonical_dump(options.target):
        print("the two differ: somebody graded meanwhile. Empty the new database and run this again")
        return 1
    print(f"the two say the same. Now tell {course.root}/nbgrader_config.py:")
    print(f"c.CourseDirectory.db_url = {options.target!r}")
    return 0


def _options() -> argparse.ArgumentParser:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", metavar="DB_URL", help="where the gradebook shall be")
    parser.add_argument("--course", type=Path, default=Path(), metavar="DIR", help="the class's folder")
    parser.add_argument(
        "--from", dest="source", metavar="DB_URL", help="where it is (default: as DIR's says)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
