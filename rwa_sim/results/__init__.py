"""From records to metrics, tables, files and the report page."""
