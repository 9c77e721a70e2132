"""What several commands share: options, progress, tables, text of events."""
