"""Does the package reproduce MAML's sinusoid table?"""
