"""Learn the confidence model from registrations of known error, and show how it does on unseen anatomy.

    python Testing/benchmarks/train_confidence.py OUT ROWS.jsonl [ROWS.jsonl ...]

ROWS come from `confidence_cases.py`. For each anatomy a model learned from the others is judged on it; those
predictions make OUT.txt and OUT.png (reliability, risk against coverage, stated p95 against the truth). The
model learned from all is written to `register/confidence_model.py`.
"""

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from xrayreg.register import Evidence, confidence_in
from xrayreg.register.confidence import SUCCESS_MM, features

MODEL = Path(__file__).parents[2] / "XrayRegistration" / "xrayreg" / "register" / "confidence_model.py"
_WRONG_MM = 50.0  # stands for the error of inputs that do not belong together
_RIDGE = 0.02


def main() -> None:
    out = Path(sys.argv[1])
    rows = [json.loads(line) for path in sys.argv[2:] for line in Path(path).read_text().splitlines()]
    rows = [row for row in rows if "refused" not in row]
    anatomies = sorted({row["anatomy"] for row in rows})
    judged = []
    for anatomy in anatomies:
        model = learned([row for row in rows if row["anatomy"] != anatomy])
        for row in rows:
            if row["anatomy"] == anatomy:
                judged.append((row, confidence_in(Evidence(**row["evidence"]), model)))
    report = table(judged, anatomies)
    print(report)
    out.with_suffix(".txt").write_text(report + "\n")
    picture(judged).save(out.with_suffix(".png"))
    write(learned(rows), len(rows), anatomies)


def learned(rows: list[dict]) -> dict:
    x = np.array([features(Evidence(**row["evidence"])) for row in rows])
    error = np.array([_error(row) for row in rows])
    low, high = np.percentile(x, [1, 99], axis=0)
    x = np.clip(x, low, high)
    mean, deviation = x.mean(axis=0), x.std(axis=0) + 1e-6
    x = (x - mean) / deviation
    right = error < SUCCESS_MM
    known = np.array([row["tre_mm"] is not None for row in rows])
    group = np.array([row["anatomy"] for row in rows])
    right_weights, right_sigma = _line(x[right], np.log(error[right]), group[right])
    wrong = ~right & known
    wrong_weights, wrong_sigma = _line(x[wrong], np.log(error[wrong]), group[wrong])
    return {
        "low": low.tolist(),
        "high": high.tolist(),
        "mean": mean.tolist(),
        "deviation": deviation.tolist(),
        "success": _logistic(x, right).tolist(),
        "right": right_weights.tolist(),
        "right_sigma": right_sigma,
        "wrong": wrong_weights.tolist(),
        "wrong_sigma": wrong_sigma,
    }


def _error(row: dict) -> float:
    return _WRONG_MM if row["tre_mm"] is None else max(row["tre_mm"], 0.01)


def _logistic(x: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Weights, the constant first, of the logistic regression with a ridge."""
    inputs = torch.as_tensor(np.column_stack([np.ones(len(x)), x]))
    target = torch.as_tensor(right.astype(float))
    weights = torch.zeros(inputs.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=500, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits(inputs @ weights, target)
        value = value + _RIDGE * weights[1:].square().mean()
        value.backward()
        return value

    optimiser.step(loss)
    return weights.detach().numpy()


def _line(x: np.ndarray, y: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights, the constant first, of the ridge regression, and the deviation around it.

    The deviation is that of groups (anatomies) around the lines learned from the others: what to expect of
    the next one.
    """
    residuals = []
    for name in np.unique(group):
        others = group != name
        weights = _ridge(x[others], y[others])
        residuals.append(y[~others] - weights[0] - x[~others] @ weights[1:])
    return _ridge(x, y), float(np.sqrt(np.mean(np.concatenate(residuals) ** 2)))


def _ridge(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    inputs = np.column_stack([np.ones(len(x)), x])
    ridge = np.diag([0.0] + [1.0 * len(y)] * x.shape[1])
    return np.linalg.solve(inputs.T @ inputs + ridge, inputs.T @ y)


def table(judged: list, anatomies: list[str]) -> str:
    lines = ["Judged by models learned from the other anatomies"]
    lines.append("anatomy: cases, right ones; gross failures not accepted; right ones rejected")
    for name in [*anatomies, "all"]:
        part = [(row, sure) for row, sure in judged if name in ("all", row["anatomy"])]
        gross = [sure for row, sure in part if _error(row) > 10]
        good = [sure for row, sure in part if _error(row) < SUCCESS_MM]
        caught = sum(sure.verdict != "accept" for sure in gross)
        rejected = sum(sure.verdict == "reject" for sure in gross)
        alarms = sum(sure.verdict == "reject" for sure in good)
        known = [(row, sure) for row, sure in part if row["tre_mm"] is not None]
        covers = np.mean([row["tre_mm"] <= sure.p95_tre_mm for row, sure in known])
        accepted = sum(sure.verdict == "accept" for sure in good)
        lines.append(
            f"{name:10} {len(part):4} {len(good):6} {caught}/{len(gross)} ({rejected} rejected) "
            f"{alarms}/{len(good)} rejected, p95 covers {100 * covers:.1f} %, accepted {accepted}/{len(good)}"
        )
    lines.append("inputs that do not belong together:")
    for kind in dict.fromkeys(row["kind"] for row, _ in judged if row["tre_mm"] is None):
        verdicts = [sure.verdict for row, sure in judged if row["kind"] == kind]
        counts = [f"{verdict} {verdicts.count(verdict)}" for verdict in ("accept", "review", "reject")]
        lines.append(f"  {kind:16} {', '.join(counts)}")
    for kind in ("full", "poor", "moved"):
        known = [(row, sure) for row, sure in judged if row["kind"] == kind]
        covers = np.mean([row["tre_mm"] <= sure.p95_tre_mm for row, sure in known])
        lines.append(f"p95 covers the truth of {kind}: {100 * covers:.1f} % of {len(known)}")
    return "\n".join(lines)


def picture(judged: list) -> Image.Image:
    """Reliability of the probability, risk against coverage, and stated p95 against the true error."""
    image = Image.new("RGB", (1290, 460), "white")
    draw = ImageDraw.Draw(image)
    chance = np.array([sure.success_probability for _, sure in judged])
    right = np.array([_error(row) < SUCCESS_MM for row, _ in judged])
    _frame(draw, 50, "stated probability", "share that is right")
    edges = np.linspace(0, 1, 11)
    points = []
    for low, high in itertools.pairwise(edges):
        inside = (chance >= low) & (chance <= high if high == 1 else chance < high)
        if inside.any():
            points.append((chance[inside].mean(), right[inside].mean()))
            _dot(draw, 50, *points[-1])
            _text(draw, 50, *points[-1], str(int(inside.sum())))
    draw.line([(50, 400), (410, 40)], fill="#aaa")
    _frame(draw, 480, "coverage: share kept, surest first", "risk: share wrong (full height 0.5)")
    order = np.argsort(-chance)
    risk = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    x = np.arange(1, len(order) + 1) / len(order)
    curve = [(480 + 360 * a, 400 - 360 * min(1, 2 * b)) for a, b in zip(x, risk, strict=True)]
    draw.line(curve, fill="#0060c0", width=2)
    _frame(draw, 910, "stated p95, mm (0.1 to 100, log)", "true TRE, mm (0.01 to 100, log)")
    for row, sure in judged:
        if row["tre_mm"] is not None:
            a = np.clip(np.log10(sure.p95_tre_mm / 0.1) / 3, 0, 1)
            b = np.clip(np.log10(row["tre_mm"] / 0.01) / 4, 0, 1)
            _dot(draw, 910, a, b, 2)
    draw.line([(910, 400 - 90), (1270, 40)], fill="#aaa")  # equal: 0.1 mm to 100 mm
    return image


def _frame(draw: ImageDraw.ImageDraw, left: int, below: str, above: str) -> None:
    draw.rectangle([left, 40, left + 360, 400], outline="black")
    draw.text((left, 415), below, fill="black")
    draw.text((left, 20), above, fill="black")


def _dot(draw: ImageDraw.ImageDraw, left: int, x: float, y: float, radius: int = 4) -> None:
    a, b = left + 360 * x, 400 - 360 * y
    draw.ellipse([a - radius, b - radius, a + radius, b + radius], fill="#0060c0")


def _text(draw: ImageDraw.ImageDraw, left: int, x: float, y: float, words: str) -> None:
    draw.text((left + 360 * x + 6, 390 - 360 * y), words, fill="black")


def write(model: dict, count: int, anatomies: list[str]) -> None:
    lines = [
        '"""The numbers of `confidence.py`; written by Testing/benchmarks/train_confidence.py.',
        "",
        f"Learned from {count} registrations of {', '.join(anatomies)}.",
        '"""',
        "",
        "MODEL = {",
    ]
    for key, value in model.items():
        shown = round(value, 5) if isinstance(value, float) else [round(v, 5) for v in value]
        lines.append(f'    "{key}": {shown},')
    MODEL.write_text("\n".join([*lines, "}", ""]))


if __name__ == "__main__":
    main()
