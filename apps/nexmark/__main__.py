"""`python -m apps.nexmark`: create the topics and fill them with events."""

import argparse

from apps.nexmark.generator import SEED, events
from apps.nexmark.load import fill
from apps.nexmark.topics import Names


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m apps.nexmark", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of the dice (default: %(default)s)")
    parser.add_argument("--bootstrap-servers", default="127.0.0.1:9092", help="default: %(default)s")
    arguments = parser.parse_args()
    count = fill(arguments.bootstrap_servers, Names(output=""), events(arguments.events, arguments.seed))
    print(f"wrote {count:,} events to {arguments.bootstrap_servers}")


if __name__ == "__main__":
    main()
