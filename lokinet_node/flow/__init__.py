"""What links, paths and sessions share: replay windows and the acknowledged control channel."""
