package plainfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
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
	allRead         fs.FileMode = 0o004
)

// OthersOf looks at the owners and modes of a file, of every directory on the way to it, and of the links there. This
// user and root are no others. On a mount that is read-only, as Docker and Kubernetes mount what they give to
// containers, nobody changes anything, whatever its owner and mode. On Windows, which has other rights, it finds
// nothing.
func OthersOf(path string) (Others, error) {
	if runtime.GOOS == "windows" {
		return Others{}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return Others{}, explain(err)
	}
	o := Others{Read: info.Mode()&allRead != 0}
	switch mode := info.Mode().Perm(); {
	case readOnly(path):
		o.Change, err = replaceable(path)
	case mode&groupOrAllWrite != 0:
		o.Change = fmt.Sprintf("other users may change the file (mode %04o); chmod 600", mode)
	case !trusted(info):
		o.Change = "another user owns the file, and may change it; chown it to this user or to root"
	default:
		o.Change, err = replaceable(path)
	}
	if err != nil {
		return Others{}, explain(err)
	}
	return o, nil
}

// maxLinks is how many links Linux follows.
const maxLinks = 40

// replaceable says in which directory on the way to a file others may put something else in the place of what leads to
// it.
func replaceable(path string) (string, error) {
	separator := string(filepath.Separator)
	at, names := filepath.VolumeName(path)+separator, strings.Split(path, separator)
	if !filepath.IsAbs(path) {
		directory, err := os.Getwd()
		if err != nil {
			return "", err
		}
		names = append(strings.Split(directory, separator), names...)
	}
	for links := 0; len(names) > 0; {
		name := names[0]
		names = names[1:]
		switch name {
		case "", ".":
			continue
		case "..": // of a directory that is no link
			at = filepath.Dir(at)
			continue
		}
		entry := filepath.Join(at, name)
		info, err := os.Lstat(entry)
		if err != nil {
			return "", err
		}
		if why, err := openTo(at, info); err != nil || why != "" {
			return why, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = entry
			continue
		}
		if links++; links > maxLinks {
			return "", errors.New("too many links")
		}
		target, err := os.Readlink(entry)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			at = filepath.VolumeName(target) + separator
		}
		names = append(strings.Split(target, separator), names...)
	}
	return "", nil
}

// openTo says how others may replace an entry of a directory, empty where they may not.
func openTo(directory string, entry fs.FileInfo) (string, error) {
	info, err := os.Stat(directory)
	if err != nil {
		return "", err
	}
	const problem = "other users may put another file in its place: "
	switch mode := info.Mode(); {
	case trusted(info) && mode&groupOrAllWrite == 0, readOnly(directory):
		return "", nil
	case !trusted(info):
		return problem + fmt.Sprintf("one of them owns the directory %s; chown it to this user or to root", directory), nil
	case mode&fs.ModeSticky == 0:
		return problem + fmt.Sprintf("the directory %s has the mode %04o; chmod go-w it", directory, mode.Perm()), nil
	case !trusted(entry): // In a sticky directory, each may replace his own.
		return problem + fmt.Sprintf("one of them owns %s", filepath.Join(directory, entry.Name())), nil
	}
	return "", nil
}
