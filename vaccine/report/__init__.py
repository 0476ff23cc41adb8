"""One module per output form; each turns an Audit into text and prints nothing itself."""
