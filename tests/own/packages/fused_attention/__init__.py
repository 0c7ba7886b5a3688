"""A library with a kernel of its own: attention that never writes its scores to memory."""
