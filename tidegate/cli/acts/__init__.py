"""The demo's acts: the manufacturing scenario step by step, each adding promises that were kept or broken.

An act uses the SDK as any program would, and takes its figures from what happened; it knows no expected output.
"""
