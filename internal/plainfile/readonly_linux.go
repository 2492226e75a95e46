package plainfile

import "syscall"

// readOnly reports whether what is at a path is on a mount that is read-only. Tests replace it.
var readOnly = func(path string) bool {
	const flag = 1 // ST_RDONLY
	var stat syscall.Statfs_t
	return syscall.Statfs(path, &stat) == nil && stat.Flags&flag != 0
}
