"""Runs the artifacts of a kit on the device, and records what they embed.

Packed into one file, `run.pyz`, with the few modules of `sfsc_deploy` that it imports (`sfsc_deploy.kit.packing` names
them): it needs Python 3.8 (3.10 for TensorRT engines), numpy and the device's own runtime, and uses Pillow where it is.
"""
