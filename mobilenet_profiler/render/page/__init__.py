"""The report as one HTML page that needs no network: content, template, style and script."""
