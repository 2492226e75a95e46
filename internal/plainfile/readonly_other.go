//go:build !linux

package plainfile

// readOnly is not known here. Tests replace it.
var readOnly = func(string) bool { return false }
