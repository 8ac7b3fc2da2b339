"""Apps from bundles: a web app that draws with the exported files, offline, on any device."""
