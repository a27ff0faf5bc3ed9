"""Views of a Trace, one file a format. Each returns a value; none prints or opens a file."""
