"""Throughput of a worker beside a hand-written loop: `make bench`, explained in docs/performance.md."""
