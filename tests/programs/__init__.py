"""Programs that must give the same however they are run, and the ways of running them."""
