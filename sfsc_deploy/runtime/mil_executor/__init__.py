"""The reference executor: runs the MIL program of a CoreML package operation by operation, on any machine.

It checks what the conversion made of a model. How Apple's kernels then calculate, only a device can tell.
"""
