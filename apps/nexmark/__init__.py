"""NEXMark: an auction site's events, and eleven of the benchmark's queries over them."""
