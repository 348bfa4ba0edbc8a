"""Apps that come with penstock, each in a package of its own."""
