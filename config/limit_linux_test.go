package config_test

import (
	"os"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/config"
)

// What a file says of its size is not what it has: files that the kernel makes up, and files that grow, end at the
// limit, too. It is not parallel: it measures the whole process.
func TestFileThatIsLargerThanItSays(t *testing.T) {
	const path = "/proc/kallsyms"
	info, err := os.Stat(path)
	if err != nil || info.Size() > 0 || !info.Mode().IsRegular() {
		t.Skipf("%s is not what it usually is: %v, %v; run the tests where the kernel shows its symbols", path, info, err)
	}
	for key, option := range map[string]config.Option{
		"file": config.WithFile(path), "secret": config.With("secret.current_file", path),
	} {
		var err error
		if got := allocated(func() { _, err = load(t, option) }); got > 2<<20 {
			t.Errorf("%s: %d KiB were allocated; want at most 2048", key, got>>10)
		}
		if err == nil || !strings.Contains(err.Error(), "the file is larger than") {
			t.Errorf("%s: %v; want that it is too large", key, err)
		}
	}
}
