"""Word count: lines of text in, the number of times each word occurred out."""
