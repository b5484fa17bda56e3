"""Local and gradient normalised cross-correlation, as sums of squares, for many DRRs at once.

In a patch, ``z(I) = (I - mean) / norm`` makes an image zero-mean and of unit length. Since
``1 - NCC(F, M) = |z(M) - z(F)|^2 / 2``, maximising NCC is a least-squares problem with residuals
``z(M) - z(F)``, and Gauss-Newton needs only the image's derivative:
``dz = (dI_c - z <z, dI_c>) / norm`` with ``dI_c`` the centred derivative.

All of it follows from the sums of products, over a patch, of the X-ray, the DRR and its derivatives. They
are taken once per cell of half a patch; a patch is two by two cells.

No patch adds more than 2 to the loss, whatever only one of the images shows there (a tool, contrast agent).
A gain and an offset of either image, for each patch its own, do not matter: z takes them out. A gamma of
the detector is a gain of line integrals.
"""

import math
from dataclasses import dataclass

import torch

from ..errors import InputError

_FLAT = 0.05  # patches flatter than this part of the image's own contrast fade out


@dataclass(frozen=True)
class Term:
    """One part of a similarity.

    Attributes:
        on_gradient: compare the two gradient images (G. P. Penney et al., IEEE TMI 17, 1998) instead
            of the images.
        patch: side of the square patches in pixels, even; they overlap by half. None is the whole image.
        weight: of this term; weights are made to sum to one.
    """

    on_gradient: bool
    patch: int | None
    weight: float = 1.0


@dataclass(frozen=True)
class NormalEquations:
    """The least-squares problem at each pose, linearised; "..." is a batch of poses, or nothing.

    Attributes:
        similarity: (...) the weighted mean of the NCCs.
        hessian: (..., 6, 6) Gauss-Newton, J^T J, and
        gradient: (..., 6) of the loss, 1 - similarity.
    """

    similarity: torch.Tensor
    hessian: torch.Tensor
    gradient: torch.Tensor

    def __add__(self, other: "NormalEquations") -> "NormalEquations":
        return NormalEquations(
            self.similarity + other.similarity,
            self.hessian + other.hessian,
            self.gradient + other.gradient,
        )

    def __mul__(self, factor: float) -> "NormalEquations":
        return NormalEquations(self.similarity * factor, self.hessian * factor, self.gradient * factor)


@dataclass(frozen=True)
class PatchEquations:
    """What each patch adds to the normal equations at one pose: where the information and the misfit are.

    Attributes:
        centres: (p, 2) image points (u, v), pixel.
        weight: (p,) of each patch.
        ncc: (p,)
        hessian: (p, 6, 6) and
        gradient: (p, 6) weighted; their sums are the normal equations.
    """

    centres: torch.Tensor
    weight: torch.Tensor
    ncc: torch.Tensor
    hessian: torch.Tensor
    gradient: torch.Tensor


@dataclass(frozen=True)
class Alike:
    """The DRR's patches and how alike they are, (..., channel, patch).

    Attributes:
        norm: of the DRR's patch, a little more where it is flat.
        length2: |z(M)|^2, 1 but for that; the loss leaves it at 1.
    """

    ncc: torch.Tensor
    norm: torch.Tensor
    length2: torch.Tensor


@dataclass(frozen=True)
class Patches:
    """The least-squares problem of every patch: (..., channel, patch) and the axes of the derivatives."""

    ncc: torch.Tensor
    hessian: torch.Tensor
    gradient: torch.Tensor


class PatchwiseNcc:
    """NCC in patches, averaged with weights."""

    def __init__(self, fixed: torch.Tensor, mask: torch.Tensor, term: Term):
        self.on_gradient = term.on_gradient
        self.shape = rows, columns = tuple(fixed.shape)
        whole = term.patch is None
        # One cell is half a patch; the whole image is one cell, and one cell is then a patch.
        self.cell = (rows, columns) if whole else (math.ceil(min(term.patch, rows) / 2),
                                                    math.ceil(min(term.patch, columns) / 2))  # fmt: skip
        self.per_patch = 1 if whole else 2
        valid = mask.to(fixed.dtype)
        if term.on_gradient:  # a gradient next to a masked pixel is an edge of the mask
            valid = 1 - torch.nn.functional.max_pool2d(1 - valid[None], 3, stride=1, padding=1)[0]
        self.valid = self.cells(valid)
        channels = self.channels(torch.where(mask, fixed, fixed[mask].mean()))
        self.fixed = self.cells(channels)
        sums = self.sums([self.fixed])
        pixels = sums[..., 0, 0]
        norm2 = covariances(sums)[..., 0, 0].clamp(min=0)
        variance = norm2 / pixels.clamp(min=1)
        fade = _FLAT**2 * (norm2.sum() / pixels.sum().clamp(min=1))
        self.fixed_norm = norm2.sqrt().clamp(min=1e-12)
        # A patch counts if half of it is open, or half as much as of the most open one (narrow fields).
        size = self.cell[0] * self.cell[1] * self.per_patch**2
        enough = 0.5 * min(float(min(size, rows * columns)), float(pixels.max()))
        weight = (pixels >= enough) * pixels * variance / (variance + fade + 1e-30)
        if not valid.any() or not weight.sum() > 0:
            raise InputError("nothing to compare: the unmasked part of the X-ray is too small or blank")
        self.weight = weight / weight.sum()

    def similarity(self, moving: torch.Tensor) -> torch.Tensor:
        return (self.weight * self._patches(moving, None).ncc).sum(dim=(-2, -1))

    def normal_equations(self, moving: torch.Tensor, jacobian: torch.Tensor) -> NormalEquations:
        patches = self._patches(moving, jacobian)
        weight = self.weight
        return NormalEquations(
            (weight * patches.ncc).sum(dim=(-2, -1)),
            (weight[..., None, None] * patches.hessian).sum(dim=(-4, -3)),
            (weight[..., None] * patches.gradient).sum(dim=(-3, -2)),
        )

    def patch_equations(self, moving: torch.Tensor, jacobian: torch.Tensor, share: float) -> PatchEquations:
        patches = self._patches(moving, jacobian)
        weight = share * self.weight.expand_as(patches.ncc)
        use = weight > 0
        return PatchEquations(
            self.centres().expand(*use.shape, 2)[use],
            weight[use],
            patches.ncc[use],
            (weight[..., None, None] * patches.hessian)[use],
            (weight[..., None] * patches.gradient)[use],
        )

    def _patches(self, moving: torch.Tensor, jacobian: torch.Tensor | None) -> Patches:
        """The equations of z(M) - z(F) in every patch, from covariances; without a Jacobian, their values."""
        images = [moving] if jacobian is None else [moving, *jacobian.unbind(-1)]
        # About zero the sums lose fewer digits.
        images = [image - image.mean(dim=(-2, -1), keepdim=True) for image in images]
        cells = [self.cells(self.channels(image)) for image in images]
        covariance = covariances(self.sums([self.fixed, *cells]))
        alike = self.alike(covariance)
        ncc, norm, length2 = alike.ncc, alike.norm, alike.length2
        along = covariance[..., 1, 2:] / norm[..., None]  # <z(M), dI>
        across = covariance[..., 0, 2:] / self.fixed_norm[..., None]  # <z(F), dI>
        outer = along[..., :, None] * along[..., None, :] * (length2[..., None, None] - 2)
        hessian = (covariance[..., 2:, 2:] + outer) / norm.square()[..., None, None]
        gradient = (along * ncc[..., None] - across) / norm[..., None]
        return Patches(ncc, hessian, gradient)

    def alike(self, covariance: torch.Tensor) -> Alike:
        """From covariances (..., patch, n, n) whose first two quantities are X-ray and DRR."""
        square = covariance[..., 1, 1].clamp(min=0)
        # The floor keeps flat patches of the DRR (outside the patient) at z = 0.
        floor = 1e-4 * square.detach().mean(dim=(-2, -1), keepdim=True) + 1e-20
        norm = (square + floor).sqrt()
        return Alike(covariance[..., 0, 1] / (norm * self.fixed_norm), norm, square / norm.square())

    def channels(self, images: torch.Tensor) -> torch.Tensor:
        """[..., channel, row, column]: the image itself, or its two smoothed derivatives (Sobel)."""
        if not self.on_gradient:
            return images[..., None, :, :]
        flat = images.reshape(-1, 1, *images.shape[-2:])
        padded = torch.nn.functional.pad(flat, (1, 1, 1, 1), mode="replicate")[:, 0] / 8
        across = padded[:, :, 2:] - padded[:, :, :-2]  # not conv2d: it takes ten times the space
        along_columns = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
        down = padded[:, 2:] - padded[:, :-2]
        along_rows = down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]
        return torch.stack([along_columns, along_rows], dim=1).reshape(
            *images.shape[:-2], 2, *images.shape[-2:]
        )

    def cells(self, images: torch.Tensor) -> torch.Tensor:
        """[..., cell row, cell column, pixel] from [..., row, column]; zeros fill up the last cells."""
        rows, columns = images.shape[-2:]
        high, wide = self.cell
        padded = torch.nn.functional.pad(images, (0, -columns % wide, 0, -rows % high))
        split = padded.unflatten(-1, (-1, wide)).unflatten(-3, (-1, high))
        return split.transpose(-3, -2).flatten(-2)

    def sums(self, cells: list[torch.Tensor]) -> torch.Tensor:
        """(..., patch, 1 + n, 1 + n) sums of products, over patches, of 1 and n times [..., pixel] cells."""
        products = []
        for number, valid in enumerate(self.valid.unbind(-3)):  # row by row: doubles take space
            row = [each[..., number, :, :] for each in cells]
            row = [each.expand_as(row[-1]) for each in (torch.ones_like(row[-1]), *row)]
            row = torch.stack(row, dim=-2).double()
            products.append((row * valid[..., None, :]) @ row.transpose(-2, -1))
        products = torch.stack(products, dim=-4).movedim((-4, -3), (0, 1))
        return self.patches_of(products).movedim((0, 1), (-4, -3)).flatten(-4, -3)

    def patches_of(self, cells: torch.Tensor) -> torch.Tensor:
        """[patch row, patch column, ...] sums over the cells [cell row, cell column, ...] of each patch."""
        if self.per_patch == 2:
            cells = cells[:-1] + cells[1:] if len(cells) > 1 else cells
            cells = cells[:, :-1] + cells[:, 1:] if cells.shape[1] > 1 else cells
        return cells

    def onto_cells(self, patches: torch.Tensor) -> torch.Tensor:
        """[cell row, cell column] sums over the patches [patch row, patch column] that share a cell."""
        if self.per_patch == 2:
            rows, columns = self.valid.shape[:2]
            above = (1, 1) if rows > 1 else (0, 0)
            beside = (1, 1) if columns > 1 else (0, 0)
            padded = torch.nn.functional.pad(patches, (*beside, *above))
            patches = self.patches_of(padded)
        return patches

    def centres(self) -> torch.Tensor:
        """(patch, 2) image points (u, v) of the patches' middles, pixel."""
        rows, columns = (math.ceil(n / cell) for n, cell in zip(self.shape, self.cell, strict=True))
        spare = self.per_patch - 1
        v = (torch.arange(max(1, rows - spare)) + 0.5 * self.per_patch) * self.cell[0] - 0.5
        u = (torch.arange(max(1, columns - spare)) + 0.5 * self.per_patch) * self.cell[1] - 0.5
        grid = torch.stack(torch.meshgrid(v, u, indexing="ij")[::-1], dim=-1).reshape(-1, 2)
        return grid.to(self.weight)


def covariances(sums: torch.Tensor) -> torch.Tensor:
    """(..., n - 1, n - 1) sums of products about the means, from (..., n, n) whose first quantity is 1."""
    count = sums[..., :1, :1].clamp(min=1)
    return sums[..., 1:, 1:] - sums[..., 1:, :1] * sums[..., :1, 1:] / count
