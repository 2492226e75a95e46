//go:build unix

package plainfile

import (
	"io/fs"
	"os"
	"syscall"
)

// trusted reports whether this user or root owns what was looked at.
func trusted(info fs.FileInfo) bool {
	stat, known := info.Sys().(*syscall.Stat_t)
	return !known || stat.Uid == 0 || int64(stat.Uid) == int64(os.Geteuid())
}
