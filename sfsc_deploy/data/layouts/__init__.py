"""How data sets lie on disk: one file a layout, found out from the names in the folder."""

from sfsc_deploy.data.layouts.opening import expected_layouts, open_dataset

__all__ = ["expected_layouts", "open_dataset"]
