"""The images behind the worst figures. Importing this is light."""

from sfsc_deploy.verification.exhibits.contents import Exhibits, Found, LostQuery, Picture, WorstRow

__all__ = ["Exhibits", "Found", "LostQuery", "Picture", "WorstRow"]
