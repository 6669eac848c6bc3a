"""TensorRT engines: built on their device, refused on any other. Importing this package imports no TensorRT.

Written without a GPU. What could be proven there is: every name, parameter and result of TensorRT's and CUDA's
interfaces that is used, against the real ones; the rules by which an engine is refused; the way errors take. Building
and running an engine were not run on a GPU.
"""
