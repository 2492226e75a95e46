package doctor

import (
	"os"
	"path/filepath"
	"strings"
)

// heldDeleted returns by which path a process still has the file that once was at a path, as far as this user may see;
// empty for none. Linux marks the links of such files.
func heldDeleted(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	if directory, err := filepath.EvalSymlinks(filepath.Dir(absolute)); err == nil {
		absolute = filepath.Join(directory, filepath.Base(absolute))
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*") // The pattern is well formed.
	for _, link := range links {
		target, err := os.Readlink(link)
		if name, deleted := strings.CutSuffix(target, " (deleted)"); err == nil && deleted && name == absolute {
			return link
		}
	}
	return ""
}
