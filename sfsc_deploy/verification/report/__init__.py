"""A verdict as a file: a page for people, JUnit XML for pipelines, Markdown for pull requests."""

from sfsc_deploy.verification.report.html_page import page
from sfsc_deploy.verification.report.junit_xml import junit
from sfsc_deploy.verification.report.pull_request import markdown

__all__ = ["junit", "markdown", "page"]
