//go:build !linux

package doctor

// heldDeleted is not known here.
func heldDeleted(string) string { return "" }
