"""cotmill bench NAME: measures things beside each other in one run; the last line is JSON."""

from __future__ import annotations

import importlib
import sys

BENCHES = {
    "sandbox": "programs per second, ours beside other ways to run them",
    "filters": "what the filters let through of records whose faults are known",
}
"""Name -> what it measures. Each is the module pipelines.benches.NAME with a main()."""


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in BENCHES:
        width = max(map(len, BENCHES))
        lines = "\n".join(f"  {bench:<{width}}  {purpose}" for bench, purpose in BENCHES.items())
        print(f"Usage: cotmill bench NAME [KEY=VALUE] ...\n\n{lines}", file=sys.stderr)
        sys.exit(0 if name in ("--help", "-h") else 2)
    del sys.argv[1]
    importlib.import_module(f"pipelines.benches.{name}").main()


if __name__ == "__main__":
    main()
