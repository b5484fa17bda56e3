"""xrayreg: registration of X-rays with a preoperative CT or MR, without Slicer, Qt or a screen."""

__version__ = "0.1.0"
