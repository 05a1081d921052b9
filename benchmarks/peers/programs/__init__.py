"""What runs in the environments of peers, which have nothing of ours: the standard library, and their own."""
