"""Real programs to soak. They know nothing of the runner, and import nothing of it."""
