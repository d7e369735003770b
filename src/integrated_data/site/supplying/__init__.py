"""What the supplier's kit says and asks: a report, questions, and the kit as one file."""
