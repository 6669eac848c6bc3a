"""The comparison as rows of text, for a terminal as for a page."""

from datetime import timedelta

from sfsc_deploy.comparing.comparison import Comparison, Figure, Standing
from sfsc_deploy.verification.thresholds import FLOAT32
from sfsc_deploy.wording import number_of

COLUMNS = (
    "method",
    "mean of the matrix",
    "lead of the first",
    "self-tests, narrow to wide",
    "narrowest on widest",
    "worst cell",
    "violations",
    "parameters",
    "training",
)
NOTE = (
    "mAP in percent, mean over seeds ± standard error. Mean of the matrix: queries by every model on the gallery of "
    "every model. Lead of the first: by how many points the first method's mean is larger, seed by seed. Worst cell: "
    "smallest difference, in points, of a cross-test to the self-test of its weaker model. Violations: cells, of all "
    "seeds, that miss the criterion: beyond chance their mAP is below that self-test, or their rank-1 by more than "
    f"{100 * FLOAT32.max_rank1_loss:g} points. Parameters: of all networks that are trained. Training: of "
    "all steps, on this machine, as busy as it was."
)


def rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """A row of text for each contender, under `COLUMNS`."""
    first = comparison.standings[0]
    return [_row(standing, first) for standing in comparison.standings]


def title(comparison: Comparison) -> str:
    """What was compared, under which budget."""
    recipe, seeds = comparison.recipe, comparison.seeds
    height, width = recipe.image_size
    return (
        f"{comparison.data}: {recipe.arch} at {height} x {width}, {number_of(recipe.epochs, 'epoch')} for every model, "
        f"{number_of(seeds, 'seed')}"
    )


def markdown(comparison: Comparison, picture: str) -> str:
    """A page with the table and the picture.

    Args:
        comparison: what to tell.
        picture: path of the picture, seen from the page.
    """
    legend = "\n".join(f"- `{each.name}`: {each.what}" for each in comparison.contenders)
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *rows(comparison)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"# {title(comparison)}\n\n{table}\n\n{NOTE}\n\n{legend}\n\n![Cross-tests of each method]({picture})\n"


def _row(standing: Standing, first: Standing) -> tuple[str, ...]:
    return (
        standing.contender.name,
        _percent(standing.mean),
        "" if standing.contender == first.contender else _percent(first.lead_over(standing), sign="+"),
        " ".join(f"{100 * value:.1f}" for value in standing.matrix.diagonal()),
        _percent(standing.narrow_on_wide),
        "" if standing.worst is None else _percent(standing.worst, sign="+"),
        f"{standing.violations} of {standing.cells}" if standing.cells else "",
        f"{standing.parameters / 1e6:.2f} M",
        str(timedelta(seconds=round(standing.seconds))),
    )


def _percent(figure: Figure, sign: str = "") -> str:
    error = "" if figure.error is None else f" ± {100 * figure.error:.1f}"
    return f"{100 * figure.mean:{sign}.1f}{error}"
