"""Write every attack out as a notebook: tests/submissions/hostile/ATTACK/01_dot_product_similarity.ipynb.

python tests/hostile/write_notebooks.py
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
sys.path[:0] = [str(HERE), str(REPOSITORY / "scripts")]

from attacks import ATTACKS, LESSON, index, text, written  # noqa: E402
from sample_class import read_answers  # noqa: E402

SUBMISSIONS = HERE.parent / "submissions" / "hostile"
RELEASED = REPOSITORY / "notebooks" / LESSON / f"{LESSON}.ipynb"


def main() -> None:
    answers = read_answers()
    for stale in {folder.name for folder in SUBMISSIONS.iterdir() if folder.is_dir()} - ATTACKS.keys():
        shutil.rmtree(SUBMISSIONS / stale)
    for attack in ATTACKS.values():
        path = SUBMISSIONS / attack.name / f"{LESSON}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(written(attack, RELEASED, answers)), encoding="utf-8")
    (SUBMISSIONS / "README.md").write_text(index(), encoding="utf-8")
    print(f"{len(ATTACKS)} notebooks in {SUBMISSIONS}")


if __name__ == "__main__":
    main()
