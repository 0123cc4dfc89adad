"""What the judge follows of each system."""
