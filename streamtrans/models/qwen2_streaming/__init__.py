"""The streaming Qwen2: group positions, one cache in order of arrival, and how it is made fast on a CPU."""
