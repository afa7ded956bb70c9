"""The tools that come with macOS."""
