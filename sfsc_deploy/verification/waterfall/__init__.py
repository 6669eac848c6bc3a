"""Where a loss comes from: the way from the reference to the device, step by step. Importing this is light."""

from sfsc_deploy.verification.waterfall.steps import STEPS, Figures, Step, Waterfall

__all__ = ["STEPS", "Figures", "Step", "Waterfall"]
