"""Commands that have subcommands, each a module with a function `main(arguments)`."""

import argparse
from collections.abc import Mapping, Sequence
from importlib import import_module


def run(
    prog: str,
    description: str,
    package: str,
    subcommands: Mapping[str, str],
    arguments: Sequence[str],
) -> int:
    """Run the module of `package` that the first argument names; return its exit code.

    `subcommands` has a line of help for each name. A `-` in a name is a `_` in the module.
    """
    width = max(map(len, subcommands))
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog="\n".join(f"{name:{width}} {text}" for name, text in subcommands.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=subcommands)
    parser.add_argument(
        "options", nargs=argparse.REMAINDER, help=f"its options; `{prog} NAME -h` lists them"
    )
    parsed = parser.parse_args(arguments)
    module = import_module(f"{package}.{parsed.name.replace('-', '_')}")
    return int(module.main(parsed.options))
