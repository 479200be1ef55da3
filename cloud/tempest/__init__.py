"""zun-tempest-plugin, unmodified, on the test cloud: ``python -m cloud.tempest``. Why it is so: docs/adr/0029-tempest.md."""
