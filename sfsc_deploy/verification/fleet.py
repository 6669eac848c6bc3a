"""What is found about a whole fleet, once each of its members has been examined."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sfsc_deploy.data.dataset import DataSet
from sfsc_deploy.verification.cross_test import Contestant, Searches, cross_test
from sfsc_deploy.verification.embedding import Rows
from sfsc_deploy.verification.examination import Examination
from sfsc_deploy.verification.exhibits.fleet import gather
from sfsc_deploy.verification.operating_point import chosen_anchor, operating_points
from sfsc_deploy.verification.policy import Policy
from sfsc_deploy.verification.space import judge_generations, judge_spaces
from sfsc_deploy.verification.stored_checks import NO_SPACE, NOT_TRIED, Stored, against
from sfsc_deploy.verification.verdict import CHECKS, ON_PAIRS, Artifact, Cell, Check, Finding, Verdict

Pairs = tuple[Check, ...]


@dataclass(frozen=True, eq=False)
class Fleet:
    """Everyone who takes part.

    Attributes:
        examinations: of the subjects, in the order given.
        stored: a gallery that somebody embedded before; None where there is none.
        policy: the thresholds.
        upgrade: whether two generations are meant.
    """

    examinations: tuple[Examination, ...]
    stored: Stored | None
    policy: Policy
    upgrade: bool
    _searches: Searches = field(default_factory=Searches, init=False)

    @cached_property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Of the subjects, and of the stored gallery."""
        own = tuple(each.artifact for each in self.examinations)
        return (*own, self.stored.artifact) if self.stored else own

    @cached_property
    def contestants(self) -> tuple[Contestant, ...]:
        """The subjects as sides of cross-tests."""
        return tuple(_contestant(each, self.policy) for each in self.examinations)

    @cached_property
    def spaces(self) -> Mapping[str, Finding]:
        """Whether each belongs where the others do."""
        judge = judge_generations if self.upgrade else judge_spaces
        found = judge({artifact.name: artifact.space for artifact in self.artifacts})
        if self.stored and self.stored.artifact.space is None:
            found[self.stored.artifact.name] = NO_SPACE
        return found | {
            each.artifact.name: each.findings["space"] for each in self.examinations if "space" in each.findings
        }

    def cross_tests(self, on_pair: Callable[[str], None]) -> tuple[tuple[Cell, ...], Pairs]:
        """The matrix and the checks on pairs; arguments as of `cross_test`."""
        matrix, pairs = cross_test(self.contestants, on_pair, upgrade=self.upgrade, searches=self._searches)
        if self.stored is None:
            return matrix, pairs
        cells, checks = against(self.contestants, self.stored, self.spaces, self._searches)
        return (*matrix, *cells), (*pairs, *checks)

    def operating_points(self, fpr: float, anchor: str | None) -> Pairs:
        """The checks on a threshold on scores; see `operating_points`."""
        able = [each.name for each in self.contestants if isinstance(each.rows, Rows)]
        subjects = tuple(each.artifact for each in self.examinations)
        chosen = anchor or chosen_anchor(subjects, able, upgrade=self.upgrade)
        found = tuple(operating_points(self.contestants, fpr, chosen, upgrade=self.upgrade))
        if self.stored is None:
            return found
        name = self.stored.artifact.name
        return (*found, *(Check.of("operating-point", each.name, NOT_TRIED, name) for each in self.contestants))

    def verdict(self, matrix: tuple[Cell, ...], pairs: Pairs, data: DataSet | None) -> Verdict:
        """Everything together.

        Args:
            matrix: of `cross_tests`.
            pairs: of `cross_tests` and `operating_points`.
            data: images that the user gave for cross-tests.
        """
        fidelity = {each.artifact.name: each.findings["fidelity"] for each in self.examinations}
        probes = {each.artifact.name: each.at_hand for each in self.examinations}
        return Verdict(
            self.artifacts,
            tuple(self._checks(pairs)),
            matrix,
            self._images(),
            self.policy.source,
            tuple(each.waterfall for each in self.examinations if each.waterfall),
            gather(fidelity, probes, self.contestants, pairs, data, self._searches),
        )

    def _checks(self, pairs: Pairs) -> Iterator[Check]:
        members = [(each.artifact.name, each.findings) for each in self.examinations]
        if self.stored:
            members.append((self.stored.artifact.name, self.stored.findings))
        for subject, own in members:
            findings = {**own, "space": self.spaces[subject]}
            for name in CHECKS:
                if name in ON_PAIRS:
                    yield from (check for check in pairs if (check.name, check.subject) == (name, subject))
                elif name in findings:
                    yield Check.of(name, subject, findings[name])

    def _images(self) -> str | None:
        names = dict.fromkeys(each.rows.images for each in self.examinations if isinstance(each.rows, Rows))
        return ", ".join(names) or None


def _contestant(examination: Examination, policy: Policy) -> Contestant:
    artifact = examination.artifact
    limits = policy.thresholds(artifact.precision or "", artifact.profile)
    rows, sub_model = examination.rows, examination.sub_model
    return Contestant(artifact.name, artifact.space, rows, artifact.width, limits, sub_model)
