"""Losses on the cosines of one width's embeddings to the shared prototypes."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Evidence(NamedTuple):
    """What cosines say as evidence (subjective logic; evidential deep learning, arXiv 1806.01768)."""

    alpha: Tensor
    """Dirichlet parameters ``[N, K]``, all at least 1."""
    strength: Tensor
    """S, the sum of alpha over the identities: ``[N]``."""

    @property
    def uncertainty(self) -> Tensor:
        """The uncertainty u = K / S, in (0, 1]: ``[N]``."""
        return self.alpha.shape[1] / self.strength


def softmax_loss(cosines: Tensor, identity: Tensor, scale: float) -> Tensor:
    """Cross-entropy of scaled cosines (normalised softmax, arXiv 1704.06369): the mean over the batch.

    Args:
        cosines: ``[N, K]`` float32.
        identity: ``[N]`` int64.
        scale: by how much cosines are multiplied to become logits.
    """
    return F.cross_entropy(scale * cosines, identity)


def evidence(cosines: Tensor, scale: float) -> Evidence:
    """Evidence e = exp(scale x cosine) and alpha = e + 1.

    The exponential is chosen over the usual softplus because evidence that is linear in the logits can't
    outgrow many identities, so that the uncertainty would never fall.

    Args:
        cosines: ``[N, K]`` float32.
        scale: by how much cosines are multiplied to become logits.
    """
    alpha = torch.exp(scale * cosines) + 1
    return Evidence(alpha, alpha.sum(1))


def expected_cross_entropy(given: Evidence, identity: Tensor) -> Tensor:
    """Expected cross-entropy under the Dirichlet, digamma(S) - digamma(alpha_y) (arXiv 1806.01768, eq. 4).

    Args:
        given: evidence of N images.
        identity: ``[N]`` int64.

    Returns:
        The mean over the batch, a scalar.
    """
    alpha_y = given.alpha.gather(1, identity[:, None]).squeeze(1)
    return (torch.digamma(given.strength) - torch.digamma(alpha_y)).mean()


def distillation_loss(embedding: Tensor, teacher: Tensor) -> Tensor:
    """One minus the cosine to the widest model's embedding of the same image: the mean over the batch.

    In-place distillation (universally slimmable networks, arXiv 1903.05134) on embeddings rather than on logits.

    Args:
        embedding: ``[N, D]``, L2-normalised.
        teacher: ``[N, D]``, L2-normalised, without a gradient.
    """
    return 1 - (embedding * teacher).sum(1).mean()


def asymmetric_loss(embedding: Tensor, gallery: Tensor, identity: Tensor) -> Tensor:
    """Contrastive loss between a batch and what another model makes of it (arXiv 2006.16331, sec. 3).

    An embedding and the other model's embeddings of the same identity, its own image's among them, are drawn together;
    those of other identities are pushed apart until their squared distance is 0.7. All pairs that still have
    a loss count alike.

    Args:
        embedding: ``[N, D]``, L2-normalised.
        gallery: ``[N, D]``, L2-normalised, of the other model, without a gradient.
        identity: ``[N]`` int64.
    """
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.losses import ContrastiveLoss

    loss = ContrastiveLoss(neg_margin=0.7, distance=LpDistance(power=2))
    # Labels that are the very same tensor would tell the library that both sides are one, without pairs of an image.
    value: Tensor = loss(embedding, identity, ref_emb=gallery, ref_labels=identity.clone())
    return value


def misleading_evidence(given: Evidence, identity: Tensor) -> Tensor:
    """KL divergence of the evidence for wrong identities from the uniform Dirichlet (arXiv 1806.01768, sec. 4).

    Args:
        given: evidence of N images.
        identity: ``[N]`` int64.

    Returns:
        The mean over the batch, a scalar; 0 where all evidence is for the right identity.
    """
    # In float32 the large terms below, which nearly cancel, leave nothing but rounding errors.
    alpha = given.alpha.double().scatter(1, identity[:, None], 1.0)
    strength = alpha.sum(1)
    count = torch.tensor(alpha.shape[1], dtype=alpha.dtype, device=alpha.device)
    normaliser = torch.lgamma(strength) - torch.lgamma(count) - torch.lgamma(alpha).sum(1)
    expectation = ((alpha - 1) * (torch.digamma(alpha) - torch.digamma(strength)[:, None])).sum(1)
    return (normaliser + expectation).mean().to(given.alpha.dtype)
