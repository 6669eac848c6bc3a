"""What is shown of a whole fleet."""

from collections.abc import Mapping, Sequence

from sfsc_deploy.data.dataset import DataSet
from sfsc_deploy.verification.cross_test import Contestant, Searches
from sfsc_deploy.verification.exhibits.contents import Exhibits
from sfsc_deploy.verification.exhibits.gathering import Album, worst_rows
from sfsc_deploy.verification.exhibits.lost import lost_queries, weakest_pair
from sfsc_deploy.verification.probes import ProbeAtHand
from sfsc_deploy.verification.verdict import Check, Finding


def gather(
    fidelity: Mapping[str, Finding],
    probes: Mapping[str, ProbeAtHand | None],
    contestants: Sequence[Contestant],
    checks: Sequence[Check],
    data: DataSet | None,
    searches: Searches | None = None,
) -> Exhibits:
    """The worst rows of every artifact, and the worst queries of the weakest pair.

    Args:
        fidelity: finding of each artifact, by its name.
        probes: that each was tried on, by its name.
        contestants: of the cross-tests.
        checks: on pairs.
        data: images that the user gave for cross-tests.
        searches: what was measured of the contestants before.
    """
    rows = worst_rows({name: (finding, probes[name]) for name, finding in fidelity.items()})
    pair = weakest_pair([check for check in checks if check.gallery in probes])
    at_hand = probes[pair.query] if pair else None
    if pair is None or at_hand is None:
        return Exhibits(rows)
    album = Album(None if data else at_hand.probe, data, at_hand.probe.preprocessing)
    weaker, lost = lost_queries(pair, {each.name: each for each in contestants}, album, searches)
    return Exhibits(rows, pair.names, weaker, lost)
