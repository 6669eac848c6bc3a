"""Trains a supernet whose sub-models all embed into one space (SFSC, arXiv 2206.08289).

The trainer takes labelled uint8 images and calls back after each step and epoch; reading folders and
measuring retrieval happen elsewhere. Importing this package imports nothing heavy.
"""
