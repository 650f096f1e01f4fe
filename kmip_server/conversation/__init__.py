"""Conversations of clients as files: written, compared, played."""
