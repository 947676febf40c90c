"""Answers to DNS questions about .loki and .snode names, without sockets."""
