"""Serves the tree named on the command line on a free port, as scripts/dev serves the project."""

import asyncio
import sys
from pathlib import Path

from scripts.tooling.local.dev import listen
from scripts.tooling.local.gateway import server
from scripts.tooling.manifest.s_yaml import load


def main(root: Path) -> None:
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    asyncio.run(
        server.serve(
            listener,
            root,
            lambda: load(root / "s.yaml", {}),
            lambda: print(f"serving http://127.0.0.1:{port}", flush=True),
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
