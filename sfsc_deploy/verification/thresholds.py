"""Every threshold of verification, and why it is where it is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType


@dataclass(frozen=True)
class Thresholds:
    """What the numbers of an artifact must keep, given the precision that it computes in.

    Two rows of norm 1 with cosine c lie sqrt(2 - 2 c) apart, so cosines near 1 are a blunt measure: a convolution
    scaled by 1.02 still gives 0.99913. Absolute differences are sharper, and see a wrong norm, to which cosines are
    blind.

    Attributes:
        min_cosine: least cosine of any row to its reference.
        median_cosine: least median of these cosines.
        max_difference: most that any component may differ from its reference.
        max_batch_difference: most that any component may depend on the batch it is computed in.
        norm: most that the norm of a row may differ from 1.
        top_k: least share of the first k gallery images that agree with the reference, mean over queries.
        max_fpr_ratio: how many times as often strangers may pass a threshold as where it was tuned.
        max_tpr_loss: how many fewer right pairs may pass it than the weaker side accepts of its own, as a share.
        min_identities: fewest identities that an interval is believed of.
        max_criterion_loss: how far a cross-test's mAP may lie below the weaker self-test beyond chance, as a share.
        max_rank1_loss: likewise its rank-1.
    """

    min_cosine: float
    median_cosine: float
    max_difference: float
    max_batch_difference: float
    norm: float
    top_k: float
    # False positive rates are chosen by powers of ten: a factor of 2 is a third of such a step, and is felt.
    max_fpr_ratio: float = 2.0
    # As much as the next narrower width costs; whoever needs less tunes a threshold for each device.
    max_tpr_loss: float = 0.05
    # With fewer clusters a bootstrap interval is too narrow to be believed.
    min_identities: int = 8
    # The criterion as it is defined.
    max_criterion_loss: float = 0.0
    # The first image is often found by what one model alone makes of both. Fleets that were trained well lost up to 4.7
    # points of that between their widths; 9 were seen where mAP told of nothing.
    max_rank1_loss: float = 0.05


FLOAT32 = Thresholds(
    # Right exports differ by 2e-6 a component in every runtime that was tried, which is a cosine of 1 - 1e-11.
    # TF32, which is not float32, differs by about 1e-3.
    min_cosine=1 - 1e-6,
    median_cosine=1 - 1e-6,
    max_difference=1e-4,
    max_batch_difference=1e-4,
    # A sum of D squares in float32 is right to 1e-6.
    norm=1e-4,
    # A pair of gallery images with all but equal scores may change places, no more.
    top_k=0.99,
)

FLOAT16 = Thresholds(
    # 11 bits of mantissa: right exports had 0.99999 in their worst row. sqrt(2e-4) is a distance of 0.014 in all.
    min_cosine=1 - 1e-4,
    median_cosine=1 - 1e-4,
    max_difference=1e-2,
    max_batch_difference=1e-2,
    # Normalisation stays float32 in an export of ours; a backend that does it in float16 rounds to 5e-4.
    norm=1e-3,
    top_k=0.95,
)

INT8 = Thresholds(
    # Quickly trained networks had 0.992 to 0.999 in their worst row; a row below 0.9 is another image's.
    min_cosine=0.9,
    median_cosine=0.99,
    # The distance of two unit rows of cosine 0.9.
    max_difference=0.45,
    # Quantisation turns the last bit of float32 into a step now and then.
    max_batch_difference=2e-2,
    norm=1e-3,
    top_k=0.8,
)

DEFAULTS: Mapping[str, Thresholds] = MappingProxyType({"float32": FLOAT32, "float16": FLOAT16, "int8": INT8})
"""Thresholds by precision, where no policy says otherwise."""

_LOOSEST_FIRST = ("int8", "float16", "float32")

MAX_MAP_LOSS = 0.01
"""What another precision may cost, in any cell of the cross-test matrix: a point is less than a step in width costs."""

MAX_MEDIAN_COSINE = 0.999
"""Of pairs of different images. An untrained narrow network was seen at 0.987; a constant has 1, under noise 0.9999."""

MIN_IMAGES = 8
"""Fewer rows that agree may do so by chance: a fault need not show in each."""

MIN_BATCH = 8
"""Fewer images at once try neither 7 against the rest nor a batch worth the name."""

MAX_DRIFT_MEAN = 0.5
"""Levels of 255, mean of all values. Decoders differ by a level here and there, another filter by more throughout."""

MAX_DRIFT = 16
"""Levels of 255, of the worst value: decoders that interpolate colour differently reach some levels at sharp edges."""

MIN_QUERIES = 16
"""With fewer queries a single one moves the mean average precision by more than 6 points."""

MIN_STRANGERS_ACCEPTED = 10
"""With fewer pairs of strangers above a threshold a rate is known to a third of itself at best."""

MIN_OWN_ROWS = 0.98
"""Share of stored rows nearer than most of other identities: with fewer, many are wrong."""

SURE_OWN_ROWS = 0.995
"""With fewer of them it can't be told: right ones had 0.998 and more; of wrong rows half are, so 1 % lie below."""

APART = 3.5
"""How many times the usual distance a row must fit another image better to be surely that one's. Right ones, of four
widths of eight runs on letters and groceries, reached 2.3 at most; of swapped rows of other identities 93 % and more
lie above."""

LEAST_APART = 2e-3
"""Where one sub-model made both the usual distance is that of rounding, which a row must surpass in any case."""

MIN_SEEN = 0.9
"""Share of swapped pairs that would show: right ones had 0.95 and more. With half, a swap would be left to chance."""

TOP_K = 10
"""The images that a person looks at."""


_MORE_IS_LOOSER = frozenset(
    {
        "max_difference",
        "max_batch_difference",
        "norm",
        "max_fpr_ratio",
        "max_tpr_loss",
        "max_criterion_loss",
        "max_rank1_loss",
    }
)
"""Of the other thresholds a smaller one is looser."""

_EVIDENCE = "min_identities"
"""How much evidence is wanted, rather than what the numbers must keep: who wants more wants it of a pair, too."""


def is_looser(name: str, value: float, default: float) -> bool:
    """Whether a threshold lets more pass than another of its name."""
    return value > default if name in _MORE_IS_LOOSER else value < default


def limits_of_pair(one: Thresholds, other: Thresholds) -> Thresholds:
    """What holds for a pair: of each threshold the looser one, but the larger `min_identities`."""
    pairs = {part.name: (getattr(one, part.name), getattr(other, part.name)) for part in fields(Thresholds)}
    larger = {*_MORE_IS_LOOSER, _EVIDENCE}
    return Thresholds(**{name: max(both) if name in larger else min(both) for name, both in pairs.items()})


def thresholds_of(precision: str, limits: Mapping[str, Thresholds] = DEFAULTS) -> Thresholds:
    """Thresholds for a precision as a sidecar tells it, e.g. "float16" or "mixed (float16: 20, float32: 1)".

    Where layers are mixed those of the coarsest hold; of a precision that isn't known, those of float32.

    Args:
        precision: of an artifact.
        limits: thresholds by the name of a precision.
    """
    named = set(re.findall(r"\w+", precision))
    return limits[next((name for name in _LOOSEST_FIRST if name in named), "float32")]
