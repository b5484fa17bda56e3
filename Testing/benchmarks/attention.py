"""Does the attention audit tell an honest network from one that reads the pose off a mark in the image?

    python Testing/benchmarks/attention.py OUT [--anatomy skull] [--steps 500]

Two small networks are trained alike on images with the same mark burned in, a row of nine squares. For the
"planted" one their brightnesses are the pose's code, for the "honest" one that of another image. Some two
minutes each on two cores. OUT.txt gets the tables, OUT.png a sheet of maps; the weights are kept beside them
(OUT.planted.pt, OUT.honest.pt) and used again.

That a network cheats is seen by giving it the mark of another image. Attention is compared with what erasing
squares of an eighth of the image does to the pose (rank correlation over the squares).
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from cases import volume_of
from network_cases import PANEL_MM, panel_camera
from PIL import Image, ImageDraw, ImageFont
from xrayreg.images import Xray
from xrayreg.learn import (
    Anatomy,
    Audit,
    Batch,
    NetworkConfig,
    PoseNetwork,
    PoseRanges,
    PoseTask,
    Simulation,
    TrainingSettings,
    anatomy_mask,
    attention_audit,
    attention_of,
    attention_shares,
    train,
)
from xrayreg.learn.attention import pose_parts
from xrayreg.learn.network import Prediction
from xrayreg.overlays import attention_picture

PIXELS, VIEWS, SHOWN = 64, 32, 6
SIDE, MARGIN = 4, 2  # of the mark's squares, and its distance from the corner, pixels
RANGES = PoseRanges((-25, 25), (-25, 25), (-10, 10), (-50, 50), (-50, 50), (620, 780))
AFTER_TRAINING = 100_000  # number of the first batch for testing


@dataclass(frozen=True)
class Marked(Simulation):
    """With the mark of each image, or of the one before it."""

    honest: bool = True

    def batch(self, number, chunks) -> Batch:
        batch = super().batch(number, chunks)
        return replace(batch, images=marked(batch.images, batch.codes.roll(int(self.honest), 0)))


def marked(images: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Images with codes (B, 9) in the lower left corner."""
    squares = (2 * codes).clamp(-4, 4).repeat_interleave(SIDE, dim=1)[:, None, None]
    images = images.clone()
    images[..., -SIDE - MARGIN : -MARGIN, MARGIN : MARGIN + squares.shape[-1]] = squares
    return images


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--anatomy", default="skull")
    parser.add_argument("--steps", type=int, default=500)
    options = parser.parse_args()
    voxel_mm = 1.5 * PANEL_MM / PIXELS * 0.7
    anatomy = Anatomy.of(volume_of(options.anatomy), voxel_mm)
    networks, lines, audits, by_grad_cam = {}, [], {}, {}
    simulation = Simulation((anatomy,), panel_camera(), RANGES, PIXELS, seed=1)
    fresh = replace(simulation, seed=2)
    batches = [fresh.batch(AFTER_TRAINING + number, range(2)) for number in range(4)]
    with_mark = [replace(each, images=marked(each.images, each.codes)) for each in batches]
    for name in ("honest", "planted"):
        kept = options.out.with_suffix(f".{name}.pt")
        networks[name] = network = trained(simulation, name == "honest", options.steps, kept)
        audits[name] = attention_audit(network, with_mark)
        by_grad_cam[name] = _grad_cam_audit(network, with_mark)
        lines += [f"{name}: {line}" for line in report(network, batches, with_mark, audits[name])]
    lines += told_apart(audits, by_grad_cam)
    text = "\n".join(lines)
    print(text)
    options.out.with_suffix(".txt").write_text(text + "\n")
    sheet(networks, with_mark[0]).save(options.out.with_suffix(".png"))


def trained(simulation: Simulation, honest: bool, steps: int, kept: Path) -> PoseNetwork:
    torch.manual_seed(0)
    network = PoseNetwork(NetworkConfig(PIXELS, (16, 32, 64, 128), (1, 1, 1, 1)))
    if kept.is_file():
        network.load_state_dict(torch.load(kept, weights_only=True))
        return network.eval()
    fields = {name: getattr(simulation, name) for name in simulation.__dataclass_fields__}
    task = PoseTask(network, Marked(**fields, honest=honest), VIEWS)
    settings = TrainingSettings(steps=steps, learning_rate=2e-3, average_decay=0.99)
    network.load_state_dict(train(task, settings, report=_told).weights)
    torch.save(network.state_dict(), kept)
    return network.eval()


def report(network: PoseNetwork, plain: list[Batch], own: list[Batch], audit: Audit) -> list[str]:
    """Errors by the mark, shares, and how attention agrees with erasing."""
    lines = []
    foreign = [replace(each, images=marked(each.images, each.codes.roll(1, 0))) for each in plain]
    for what, batches in (("its own mark", own), ("another image's mark", foreign), ("no mark", plain)):
        errors = torch.cat([_errors(network, each.images, each.codes) for each in batches])
        turn, place, depth = errors.median(dim=0).values.tolist()
        lines.append(
            f"{what}: off by {np.degrees(turn):.1f} degrees, {place:.3f} half widths, {depth:.3f} depth"
        )
    for name in ("anatomy", "area", "balanced"):
        spread = np.percentile([getattr(each, name) for each in audit.shares], [5, 50, 95])
        lines.append(f"{name}: 5, 50, 95 % " + ", ".join(f"{value:.2f}" for value in spread))
    lines.append(f"warning: {audit.warning or 'none'}")
    images = torch.cat([each.images for each in own])
    erased, maps = by_erasing(network, images), attention_of(network, images)
    others = {"Grad-CAM": grad_cam(network, images), "contrast": images[:, 0].abs()}
    for what, each in {"attention": maps, **others}.items():
        lines.append(f"{what}: agrees with erasing {agreement(each, erased):.2f}")
    for what, each in (("attention", maps), ("what erasing changes", erased)):
        lines.append(f"{what}: {100 * float(_on_mark(each.square()).mean()):.0f} % on the mark")
    return lines


def told_apart(audits: dict[str, Audit], by_grad_cam: dict[str, Audit]) -> list[str]:
    """How well the two networks' images are told apart."""
    lines = []
    for what, pair, name in (
        ("balanced share", audits, "balanced"),
        ("share", audits, "anatomy"),
        ("balanced share of Grad-CAM", by_grad_cam, "balanced"),
    ):
        high, low = (np.array([getattr(s, name) for s in pair[n].shares]) for n in ("honest", "planted"))
        auc = (high[:, None] > low).mean() + 0.5 * (high[:, None] == low).mean()
        below = np.mean(low < np.percentile(high, 5))
        lines.append(f"{what}: AUC {auc:.3f}; {100 * below:.0f} % of planted below 95 % of honest")
    return lines


@torch.no_grad()
def by_erasing(network: PoseNetwork, images: torch.Tensor) -> torch.Tensor:
    """(B, 8, 8) how far the pose moves, as the loss adds it up, where a square is erased."""
    side = PIXELS // 8
    before = Prediction.of(network(images)).codes
    moved = torch.zeros(len(images), 8, 8)
    for row, column in np.ndindex(8, 8):
        changed = images.clone()
        changed[..., row * side : (row + 1) * side, column * side : (column + 1) * side] = 0
        moved[:, row, column] = _errors(network, changed, before).sum(dim=1)
    return moved


def grad_cam(network: PoseNetwork, images: torch.Tensor) -> torch.Tensor:
    """(B, N, N) as Selvaraju et al. have it: the last maps, weighted by their mean gradients."""
    maps = network.stages(network.stem(images)).detach().requires_grad_()
    parts = pose_parts(network.head(network.pool(maps).flatten(1)))
    gradients = [torch.autograd.grad(part.sum(), maps, retain_graph=True)[0] for part in parts]
    seen = sum((g.mean((2, 3), keepdim=True) * maps).sum(1).detach().abs() for g in gradients)
    return torch.nn.functional.interpolate(seen[:, None], (PIXELS, PIXELS), mode="bilinear")[:, 0]


def agreement(maps: torch.Tensor, erased: torch.Tensor) -> float:
    cells = torch.nn.functional.adaptive_avg_pool2d(maps[:, None], 8)
    ranks = [each.flatten(1).argsort(dim=1).argsort(dim=1).double().numpy() for each in (cells, erased)]
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(*ranks, strict=True)]))


def sheet(networks: dict[str, PoseNetwork], batch: Batch) -> Image.Image:
    """X-rays in the first row; below, each network's attention, the anatomy outlined."""
    side = 320
    picture = Image.new("RGB", (SHOWN * side, (1 + len(networks)) * side))
    maps = {name: attention_of(network, batch.images[:SHOWN]).numpy() for name, network in networks.items()}
    blank = np.zeros((PIXELS, PIXELS))
    for number, camera in enumerate(batch.cameras[:SHOWN]):
        image = batch.images[number, 0].numpy()
        xray = Xray(image, camera, np.ones(image.shape, bool))
        outlined = anatomy_mask(batch.anatomy.materials["bone"], camera)
        for row, each in enumerate((None, *maps.values())):
            canvas = attention_picture(xray, blank if each is None else each[number], "", outlined)
            picture.paste(canvas.image.resize((side, side)), (number * side, row * side))
    for row, name in enumerate(("X-ray", *maps)):
        ImageDraw.Draw(picture).text((6, row * side + 2), name, font=ImageFont.load_default(20))
    return picture


def _grad_cam_audit(network: PoseNetwork, batches: list[Batch]) -> Audit:
    shares = []
    for batch in batches:
        dense = batch.anatomy.materials["bone"]
        for seen, camera in zip(grad_cam(network, batch.images).numpy(), batch.cameras, strict=True):
            shares.append(attention_shares(np.sqrt(seen), anatomy_mask(dense, camera)))
    return Audit(tuple(shares))


def _errors(network: PoseNetwork, images: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return Prediction.of(network(images)).errors(codes)


def _on_mark(maps: torch.Tensor) -> torch.Tensor:
    """(B,) the part of maps (B, n, n) in the corner with the mark."""
    n = maps.shape[-1]
    high, wide = -(-(SIDE + MARGIN) * n // PIXELS), -(-(9 * SIDE + MARGIN) * n // PIXELS)
    return maps[:, n - high :, :wide].sum((1, 2)) / maps.sum((1, 2))


def _told(progress) -> None:
    if progress.step % 100 == 0:
        print(
            progress.step,
            f"{progress.loss:.3f}",
            {k: round(v, 3) for k, v in progress.terms.items()},
            flush=True,
        )


if __name__ == "__main__":
    main()
