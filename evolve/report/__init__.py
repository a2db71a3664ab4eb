"""What people read: terminal tables, diffs, the progress line, and the same as JSON."""
