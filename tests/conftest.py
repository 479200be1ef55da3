"""What every test may ask for by name."""

pytest_plugins = ["tests.engines", "tests.registries", "tests.servers", "tests.stores", "tests.world"]
