//go:build unix

package plainfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/internal/plainfile"
)

// Whoever may replace a file, or anything on the way to it, may choose what is in it.
func TestOthersMayReplaceIt(t *testing.T) {
	t.Parallel()
	const nobody = 65534
	for name, c := range map[string]struct {
		// Each is the mode of a/, a/b/ and a/b/file; 0 leaves it as it is.
		a, b, file os.FileMode
		owner      string // of whose entries one belongs to nobody
		path       string // default: a/b/file
		want       string // a word of what is said, empty for nothing
	}{
		"one's own":                          {},
		"for a group to read":                {file: 0o640},
		"a group may write the file":         {file: 0o660, want: "0660"},
		"all may write the directory":        {b: 0o777, want: "0777"},
		"a group may write the directory":    {b: 0o775, want: "0775"},
		"all may write one above":            {a: 0o777, want: "0777"},
		"a group may write one above":        {a: 0o775, want: "0775"},
		"sticky":                             {b: 0o777 | os.ModeSticky},
		"sticky, for a group":                {b: 0o770 | os.ModeSticky},
		"sticky above":                       {a: 0o777 | os.ModeSticky},
		"of another":                         {owner: "a/b/file", want: "chown"},
		"in a directory of another":          {owner: "a/b", want: "chown"},
		"in a sticky directory of another":   {owner: "a/b", b: 0o777 | os.ModeSticky, want: "chown"},
		"below a directory of another":       {owner: "a", want: "chown"},
		"sticky, below one of another there": {owner: "a/b", a: 0o777 | os.ModeSticky, want: "owns"},
		"by a link":                          {path: "link"},
		"by a link, all may write there":     {path: "link", b: 0o777, want: "0777"},
		"by a link in a directory of all":    {path: "a/link", a: 0o777, want: "0777"},
		"by a link in a sticky directory":    {path: "a/link", a: 0o777 | os.ModeSticky},
		"by another's link in a sticky one":  {path: "a/link", a: 0o777 | os.ModeSticky, owner: "a/link", want: "owns"},
		"by a link to a directory":           {path: "directory/file"},
		"by a link to one of all":            {path: "directory/file", b: 0o777, want: "0777"},
		"by a link and back":                 {path: "directory/../b/file", b: 0o775, want: "0775"},
		"by two links":                       {path: "chain", a: 0o777, want: "0777"},
		"back and forth":                     {path: "a/../a/./b//file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.owner != "" && os.Geteuid() != 0 {
				t.Skip("only root gives files away")
			}
			root := t.TempDir()
			in := func(path string) string { return root + "/" + path } // not cleaned
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			must(os.MkdirAll(in("a/b"), 0o700))
			must(os.WriteFile(in("a/b/file"), nil, 0o600))
			must(os.Symlink("a/b/file", in("link")))
			must(os.Symlink(in("a/b"), in("directory")))
			must(os.Symlink("b/file", in("a/link")))
			must(os.Symlink("a/link", in("chain")))
			for path, mode := range map[string]os.FileMode{"a": c.a, "a/b": c.b, "a/b/file": c.file} {
				if mode != 0 {
					must(os.Chmod(in(path), mode))
				}
			}
			if c.owner != "" {
				must(os.Lchown(in(c.owner), nobody, nobody))
			}
			path := c.path
			if path == "" {
				path = "a/b/file"
			}
			others, err := plainfile.OthersOf(in(path))
			if err != nil || (others.Change == "") != (c.want == "") || !strings.Contains(others.Change, c.want) {
				t.Errorf("%q, %v; want %q", others.Change, err, c.want)
			}
		})
	}
}

// A relative path leads through the working directory.
func TestOthersMayReplaceTheWorkingDirectory(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "open", "work")
	if err := os.MkdirAll(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(directory, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(directory)
	if others, err := plainfile.OthersOf("file"); err != nil || others.Change != "" {
		t.Errorf("%q, %v", others.Change, err)
	}
	if err := os.Chmod(filepath.Dir(directory), 0o777); err != nil {
		t.Fatal(err)
	}
	if others, err := plainfile.OthersOf("file"); err != nil || !strings.Contains(others.Change, "0777") {
		t.Errorf("%q, %v", others.Change, err)
	}
}

// What Kubernetes mounts of a ConfigMap, and Docker of a file of another user, is read-only: it is not refused for its
// modes.
func TestReadOnlyMountsAreNoOnes(t *testing.T) {
	root := t.TempDir()
	volume := filepath.Join(root, "volume")
	if err := os.MkdirAll(filepath.Join(volume, "..2030"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(volume, "..2030", "sessions.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"..data": "..2030", "sessions.yaml": "..data/sessions.yaml"} {
		if err := os.Symlink(target, filepath.Join(volume, link)); err != nil {
			t.Fatal(err)
		}
	}
	for path, mode := range map[string]os.FileMode{volume: 0o777, file: 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	look := func() string {
		others, err := plainfile.OthersOf(filepath.Join(volume, "sessions.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		return others.Change
	}
	if plainfile.ReadOnly(volume) || look() == "" {
		t.Errorf("a directory for all is taken for read-only, or not refused: %s", look())
	}
	t.Cleanup(plainfile.SetReadOnly(func(path string) bool { return strings.HasPrefix(path, volume) }))
	if why := look(); why != "" {
		t.Errorf("a read-only mount is refused: %s", why)
	}
	if err := os.Chmod(root, 0o777); err != nil { // Whoever may replace what it is mounted on is another matter.
		t.Fatal(err)
	}
	if look() == "" {
		t.Error("a directory above the mount is not looked at")
	}
}
