package keys

import (
	"path/filepath"
	"strings"
)

// What names and finds the settings beside the keys.
const (
	// EnvPrefix is what the names of our variables begin with.
	EnvPrefix = "SCSDYNAMO_"
	// FileVariable is the environment variable that names the file.
	FileVariable = EnvPrefix + "CONFIG_FILE"
	// EnvironmentVariable is the environment variable that names the environment.
	EnvironmentVariable = EnvPrefix + "ENV"
)

// Variables returns those of the variables that begin with prefix. Of two with the same name, the last counts, as in
// os/exec.
func Variables(environ []string, prefix string) map[string]string {
	found := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, prefix) {
			found[name] = value
		}
	}
	return found
}

// MaxFileBytes is the size of the largest file that is read. A file with every key has a tenth of it.
const MaxFileBytes = 256 << 10

// DefaultFile returns the file that is read where none is named: config/scsdynamo/<environment>.yaml, which must be
// there, and without an environment config/scsdynamo.yaml, which may be missing.
func DefaultFile(environment string) string {
	if environment == "" {
		return filepath.Join("config", "scsdynamo.yaml")
	}
	return filepath.Join(filepath.Dir(DefaultFile("")), "scsdynamo", environment+".yaml")
}
