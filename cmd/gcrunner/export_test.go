package main

// Main is main, for a test binary that is run as the command.
func Main() { main() }
