"""Where the rules come from while the gateway runs: files that change, bundles that arrive."""
