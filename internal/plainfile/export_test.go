package plainfile

// SetReadOnly replaces what tells read-only mounts until the returned function is called, and ReadOnly asks the one of
// the system.
func SetReadOnly(f func(path string) bool) (restore func()) {
	before := readOnly
	readOnly = f
	return func() { readOnly = before }
}

// ReadOnly reports whether a path is on a read-only mount.
func ReadOnly(path string) bool { return readOnly(path) }
