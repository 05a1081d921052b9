"""The same questions to Headgate and to peers, in one run."""
