"""The private chain: blocks, service nodes and ONS names, as Lokinet's oxend serves them."""
