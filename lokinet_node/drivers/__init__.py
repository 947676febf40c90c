"""One file per file descriptor: the only room that does I/O."""
