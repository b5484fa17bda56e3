"""Placeholder until trained."""

MODEL = {
    "low": [-1e9] * 13,
    "high": [1e9] * 13,
    "mean": [0.0] * 13,
    "deviation": [1.0] * 13,
    "success": [0.0] * 14,
    "right": [-1.0] + [0.0] * 13,
    "right_sigma": 0.5,
    "wrong": [3.0] + [0.0] * 13,
    "wrong_sigma": 1.0,
}
