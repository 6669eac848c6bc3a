"""Device kits: one archive with what a device needs to run an artifact and to record what it embeds.

`contents` finds what belongs to an artifact, `packing` writes the archive, `runner` is what runs on the device.
"""
