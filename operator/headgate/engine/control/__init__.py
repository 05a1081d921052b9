"""What people, and time, do to runs."""
