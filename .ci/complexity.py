"""Refuse functions of lib/ whose cyclomatic complexity (radon) is over a limit: python .ci/complexity.py 20"""

import sys
from pathlib import Path

from radon.complexity import cc_visit

ROOT = Path(__file__).parents[1]


def main(limit):
    over = []
    for path in sorted((ROOT / "lib").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith("lib/formats/"):
            continue
        for block in cc_visit(path.read_text(encoding="utf-8")):
            for part in getattr(block, "methods", [block]):
                if part.complexity > limit:
                    over.append(f"{name}:{part.lineno} {part.name}: complexity {part.complexity}, at most {limit}")
    print("\n".join(over) or f"complexity: at most {limit}")
    return bool(over)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
