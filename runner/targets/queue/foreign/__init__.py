"""Task systems that a target file describes: two primitives, submit and a body that reports."""
