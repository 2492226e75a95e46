package main

// For the tests.
var (
	Run      = run
	Relative = relative
)
