"""What every test may ask for by name."""

pytest_plugins = ["tests.brokers", "tests.engines", "tests.registries", "tests.servers", "tests.stores", "tests.world"]
