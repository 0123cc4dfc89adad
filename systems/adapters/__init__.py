"""Target files of task systems that others have written, each with the few lines that attach it, and what they stand on."""
