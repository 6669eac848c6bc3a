"""The embedded data set: little robots before four cameras, drawn by the program itself.

A small re-identification problem that needs no files and is the same on every machine. `robots` puts it
together; `identity` says who is drawn, `figure` in which pose, `scene` before what, `camera` how it is seen.
"""
