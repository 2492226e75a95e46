package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A file of another user is no damaged file, and a directory in which it cannot be made is seen before the application
// is.
func TestDoctorOnFilesOfOthers(t *testing.T) {
	t.Parallel()
	s := onBolt(t)
	s.put(tokenLive, nil)
	path := filepath.Join(s.dir, "sessions.db")
	s.asNobody(path)
	r := s.execute("", "doctor")
	if r.code != 5 || !strings.Contains(r.stdout, "chown") || losing.MatchString(r.stdout) {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r := s.execute("", "sessions", "count"); r.code != 1 || !strings.Contains(r.stderr, "the right to read and write") {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
	r = s.execute("", "doctor", "--set", "bolt.path=other.db")
	if r.code != 5 || !strings.Contains(r.stdout, "cannot be made") ||
		!strings.Contains(r.stdout, "the right to write into the directory") {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// asNobody makes the command run without the right to a file and to its directory.
func (s *transcript) asNobody(path string) {
	s.t.Helper()
	modes := map[string]os.FileMode{path: 0o644, filepath.Dir(path): 0o755}
	if os.Getuid() != 0 {
		modes = map[string]os.FileMode{path: 0o400, filepath.Dir(path): 0o500}
	} else {
		const nobody = 65534
		s.process = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		for directory := filepath.Dir(path); directory != os.TempDir() &&
			directory != "/"; directory = filepath.Dir(directory) {
			modes[directory] = 0o755
		}
		modes[filepath.Dir(s.command)] = 0o755
	}
	for path, mode := range modes {
		if err := os.Chmod(path, mode); err != nil {
			s.t.Fatal(err)
		}
	}
	s.t.Cleanup(func() { _ = os.Chmod(filepath.Dir(path), 0o700) }) // It is to be removed.
}
