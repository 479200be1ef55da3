"""One module a service: its configuration, how it is started, and how one knows that it is well."""
