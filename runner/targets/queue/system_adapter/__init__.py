"""Systems that own their workers: the runner gives them work, their workers call our task body, they tell what they did."""
