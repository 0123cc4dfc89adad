"""Parity: do two runs of the same scenario and seed, such as a simulated and a real one, say the same?"""
