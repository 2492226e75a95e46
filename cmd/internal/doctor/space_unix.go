//go:build linux || darwin || freebsd

package doctor

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// freeBytes returns how much room this user has left on the file system of a directory.
func freeBytes(directory string) (int64, bool) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(directory, &stat); err != nil {
		return 0, false
	}
	//nolint:gosec,unconvert // No disk is that large. The types differ between systems.
	return int64(stat.Bavail) * int64(stat.Bsize), true
}

// writable returns why this user may not write to a file or into a directory, nil where it may.
func writable(path string) error { return unix.Access(path, unix.R_OK|unix.W_OK) }
