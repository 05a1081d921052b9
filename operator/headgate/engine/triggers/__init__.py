"""What starts runs by itself: time, and the ends of other runs."""
