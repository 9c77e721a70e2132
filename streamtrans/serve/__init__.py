"""The service: many live sessions of one process, over WebSocket and HTTP, and a page."""
