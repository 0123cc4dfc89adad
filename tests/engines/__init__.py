"""Random scenarios, and the comparison of what two engines make of them."""
