"""From a finished run and profiles to artifacts with their sidecars. Importing this package imports nothing heavy."""

from sfsc_deploy.exporting.request import Exported, ExportTask, Unavailable

__all__ = ["ExportTask", "Exported", "Unavailable"]
