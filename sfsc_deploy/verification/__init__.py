"""Proof that artifacts are what was exported and can be compared with each other. Importing this is light."""

from sfsc_deploy.verification.verdict import CHECKS, Artifact, Cell, Check, Finding, Status, Verdict

__all__ = ["CHECKS", "Artifact", "Cell", "Check", "Finding", "Status", "Verdict"]
