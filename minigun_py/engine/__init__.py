"""What carries a plan out: pure decisions in rooms of their own, and the few that join them."""
