"""What `mitmdump -s` loads: the addon, configured by CHECKREIN_* as the gateway is."""

from __future__ import annotations

import os

from gateway.addon.addon import CheckreinAddon
from gateway.settings import load_settings

addons = [CheckreinAddon(load_settings(os.environ))]
