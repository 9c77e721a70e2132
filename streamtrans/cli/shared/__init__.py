"""The parts that several commands share: options, progress, tables, events as text, streams."""
