"""Local and gradient normalised cross-correlation, as sums of squares.

In a patch, ``z(I) = (I - mean) / norm`` makes an image zero-mean and of unit length. Since
``1 - NCC(F, M) = |z(M) - z(F)|^2 / 2``, maximising NCC is a least-squares problem with residuals
``z(M) - z(F)``, and Gauss-Newton needs only the image's derivative:
``dz = (dI_c - z <z, dI_c>) / norm`` with ``dI_c`` the centred derivative.
"""

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
        patch: side of the square patches in pixels; None is the whole image.
        weight: of this term; weights are made to sum to one.
    """

    on_gradient: bool
    patch: int | None
    weight: float = 1.0


@dataclass(frozen=True)
class NormalEquations:
    """The least-squares problem at one pose, linearised.

    Attributes:
        loss: half the weighted sum of squares; 1 - similarity where no patch of the DRR is flat.
        similarity: the weighted mean of the NCCs.
        hessian: (6, 6) Gauss-Newton, J^T J.
        gradient: (6,) J^T r.
    """

    loss: float
    similarity: float
    hessian: torch.Tensor
    gradient: torch.Tensor

    def __add__(self, other: "NormalEquations") -> "NormalEquations":
        return NormalEquations(
            self.loss + other.loss,
            self.similarity + other.similarity,
            self.hessian + other.hessian,
            self.gradient + other.gradient,
        )


class Comparison:
    """A fixed X-ray ready to be compared with many DRRs.

    Args:
        fixed: [row, column] line integrals.
        mask: [row, column] bool; pixels outside do not count.
        terms: what to compare; similarity is their weighted mean.

    Raises:
        InputError: if the mask leaves nothing to compare, or what it leaves is blank.
    """

    def __init__(self, fixed: torch.Tensor, mask: torch.Tensor, terms: tuple[Term, ...]):
        total = sum(term.weight for term in terms)
        self._terms = [(term.weight / total, _PatchwiseNcc(fixed, mask, term)) for term in terms]

    def similarity(self, moving: torch.Tensor) -> torch.Tensor:
        """Weighted mean of the NCCs, a scalar in [-1, 1], differentiable in ``moving``."""
        return sum(weight * term.similarity(moving) for weight, term in self._terms)

    def normal_equations(self, moving: torch.Tensor, jacobian: torch.Tensor) -> NormalEquations:
        """The least-squares problem for a DRR [row, column] and its derivative [row, column, 6]."""
        stack = torch.cat([moving[None], jacobian.movedim(-1, 0)])
        loss, similarity, hessian, gradient = 0.0, 0.0, 0.0, 0.0
        for weight, term in self._terms:
            residual, slope, alike = term.residuals(stack)
            similarity = similarity + weight * alike
            loss = loss + weight * 0.5 * float(residual.square().sum())
            hessian = hessian + weight * slope.T @ slope
            gradient = gradient + weight * slope.T @ residual
        return NormalEquations(loss, similarity, hessian, gradient)


class _PatchwiseNcc:
    """NCC in overlapping patches (stride: half a patch), averaged with weights."""

    def __init__(self, fixed: torch.Tensor, mask: torch.Tensor, term: Term):
        self._on_gradient = term.on_gradient
        rows, columns = fixed.shape
        self._patch = (
            (rows, columns) if term.patch is None else (min(term.patch, rows), min(term.patch, columns))
        )
        valid = mask[None].to(fixed.dtype)
        if term.on_gradient:  # a gradient next to a masked pixel is an edge of the mask
            valid = 1 - torch.nn.functional.max_pool2d(1 - valid, 3, stride=1, padding=1)
        count = 2 if term.on_gradient else 1
        self._valid = self._patches(valid.expand(count, -1, -1))
        fixed_channels = self._channels(torch.where(mask, fixed, fixed[mask].mean())[None])[0]
        centred = self._centred(self._patches(fixed_channels))
        pixels = self._valid.sum(dim=1).clamp(min=1)
        variance = centred.square().sum(dim=1) / pixels
        whole = (variance * pixels).sum() / pixels.sum()
        fade = _FLAT**2 * whole
        self._fixed = centred / centred.norm(dim=1, keepdim=True).clamp(min=1e-12)
        # A patch counts if half of it is open, or half as much as of the most open one (narrow fields).
        enough = 0.5 * min(self._patch[0] * self._patch[1], float(pixels.max()))
        usable = (pixels >= enough).to(fixed.dtype)
        weight = usable * pixels * variance / (variance + fade + 1e-30)
        if not self._valid.any() or not weight.sum() > 0:
            raise InputError("nothing to compare: the unmasked part of the X-ray is too small or blank")
        self._weight = weight / weight.sum()

    def similarity(self, moving: torch.Tensor) -> torch.Tensor:
        z, _ = self._normalised(self._patches(self._channels(moving[None])[0]))
        return self._ncc(z)

    def residuals(self, stack: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, float]:
        """Residuals (n,), slopes (n, 6) and NCC of a DRR and its six derivatives [7, row, column]."""
        channels = self._channels(stack)
        z, norm = self._normalised(self._patches(channels[0]))
        scale = self._weight.sqrt()[:, None]
        slopes = []
        for derivative in channels[1:]:
            centred = self._centred(self._patches(derivative))
            slope = (centred - z * (z * centred).sum(dim=1, keepdim=True)) / norm
            slopes.append((scale * slope).reshape(-1))
        return (scale * (z - self._fixed)).reshape(-1), torch.stack(slopes, dim=1), float(self._ncc(z))

    def _ncc(self, z: torch.Tensor) -> torch.Tensor:
        """Weighted mean over the patches."""
        return (self._weight * (z * self._fixed).sum(dim=1)).sum()

    def _channels(self, images: torch.Tensor) -> torch.Tensor:
        """[image, channel, row, column]: the image itself, or its two smoothed derivatives (Sobel)."""
        images = images[:, None]
        if not self._on_gradient:
            return images
        sobel = images.new_tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
        kernels = torch.stack([sobel, sobel.T])[:, None]
        padded = torch.nn.functional.pad(images, (1, 1, 1, 1), mode="replicate")
        return torch.nn.functional.conv2d(padded, kernels)

    def _patches(self, channels: torch.Tensor) -> torch.Tensor:
        """[patch, pixel] from [channel, row, column]; each channel has its own patches."""
        stride = tuple(max(1, n // 2) for n in self._patch)
        columns = torch.nn.functional.unfold(channels[:, None], self._patch, stride=stride)
        return columns.movedim(1, 2).reshape(-1, self._patch[0] * self._patch[1])

    def _centred(self, patches: torch.Tensor) -> torch.Tensor:
        count = self._valid.sum(dim=1, keepdim=True).clamp(min=1)
        return (patches - (patches * self._valid).sum(dim=1, keepdim=True) / count) * self._valid

    def _normalised(self, patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """z and the norm; the floor keeps flat DRR patches (outside the patient) at z = 0."""
        centred = self._centred(patches)
        floor = 1e-4 * centred.detach().square().sum(dim=1).mean() + 1e-20
        norm = (centred.square().sum(dim=1, keepdim=True) + floor).sqrt()
        return centred / norm, norm
