"""Self-compatible embeddings on every platform: train a supernet, slice it, export it, prove it compatible.

Importing this package imports nothing heavy; each module imports what it needs where it needs it.
"""

__version__ = "0.1.0"
