package plainfile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Others is what other users of the machine may do with a file.
type Others struct {
	// Change says how they may change the file, or put another in its place, and how that is mended; empty where they
	// may not.
	Change string
	// Read is whether all of them may read it.
	Read bool
}

const (
	groupOrAllWrite fs.FileMode = 0o022
	allWrite        fs.FileMode = 0o002
	allRead         fs.FileMode = 0o004
)

// OthersOf looks at the modes of a file and of the directories that hold it and what it links to. On Windows, which has
// other rights, it finds nothing.
func OthersOf(path string) (Others, error) {
	if runtime.GOOS == "windows" {
		return Others{}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return Others{}, explain(err)
	}
	o := Others{Read: info.Mode()&allRead != 0}
	if mode := info.Mode().Perm(); mode&groupOrAllWrite != 0 {
		o.Change = fmt.Sprintf("other users may change the file (mode %04o); chmod 600", mode)
		return o, nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Others{}, explain(err)
	}
	for _, dir := range []string{filepath.Dir(path), filepath.Dir(real)} {
		info, err := os.Stat(dir)
		if err != nil {
			return Others{}, explain(err)
		}
		if mode := info.Mode(); mode&allWrite != 0 && mode&fs.ModeSticky == 0 {
			o.Change = fmt.Sprintf("other users may put another file in its place (its directory has the mode %04o); chmod 755 the directory",
				mode.Perm())
		}
	}
	return o, nil
}
